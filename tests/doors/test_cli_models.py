"""`memspan models build`: which models it makes, and what it says where it cannot."""

import sys

import pytest
from click.testing import CliRunner

from memspan.doors.cli.main import MISSING, USAGE, cli
from memspan.text.embed.onnx_build import FILE_NAME


def run(*arguments):
    return CliRunner().invoke(cli, ["models", "build", *map(str, arguments)])


@pytest.mark.parametrize("kind", [[], ["minilm"]])
def test_minilm_is_what_is_built_where_nothing_is_said(tmp_path, kind):
    """A model that is there is not built again."""
    (tmp_path / FILE_NAME).write_bytes(b"here")
    done = run(*kind, "--dir", tmp_path)
    assert (done.exit_code, done.stdout) == (0, f"the model is at {tmp_path / FILE_NAME}\n")


@pytest.mark.parametrize("kind", ["recall", "text"])
def test_a_wheel_is_minilms_alone(tmp_path, kind):
    """Said before anything is made."""
    wheel = tmp_path / "a.whl"
    wheel.write_bytes(b"")
    done = run(kind, "--wheel", wheel, "--dir", tmp_path / "models")
    assert done.exit_code == USAGE
    assert "only minilm is made from a wheel" in done.stderr
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("kind", ["recall", "text"])
@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_without_torch_the_extra_is_named(tmp_path, monkeypatch, kind, missing):
    """One line and the exit code of a missing extra."""
    monkeypatch.setitem(sys.modules, missing, None)
    done = run(kind, "--dir", tmp_path)
    assert done.exit_code == MISSING
    assert 'pip install "memspan[kv]"' in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_is_refused():
    """The known ones are named."""
    done = run("gpt")
    assert done.exit_code == USAGE
    assert all(kind in done.stderr for kind in ("minilm", "recall", "text"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["recall", "text"])
def test_a_model_is_made_once(tmp_path, kind):
    """The second call says the same place and leaves it as it is."""
    pytest.importorskip("transformers")
    first = run(kind, "--dir", tmp_path)
    assert first.exit_code == 0, first.output
    (made,) = tmp_path.iterdir()
    assert first.stdout == f"the model is at {made}\n"
    before = {path.name: path.stat().st_mtime_ns for path in made.iterdir()}
    assert run(kind, "--dir", tmp_path).stdout == first.stdout
    assert {path.name: path.stat().st_mtime_ns for path in made.iterdir()} == before
