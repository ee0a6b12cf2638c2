"""A data set's conversations become files that remember reads."""

from pathlib import Path

from tests.bench import tiny

from memspan.bench.convert import write_turns
from memspan.text.read import read


def test_turns_come_back_as_they_were(tmp_path: Path) -> None:
    """Text, speaker, session and time survive; questions stay behind."""
    ((path, count),) = write_turns(tiny.write_all(tmp_path), ["locomo"], tmp_path / "out")
    turns = list(read(path))
    assert len(turns) == count > 0
    assert all(turn.speaker and turn.session and turn.at is not None for turn in turns)
