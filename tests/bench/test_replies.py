"""What an earlier run left: found again, unless anything that decides it has changed; a torn end loses one line."""

from dataclasses import replace

import pytest

from memspan.bench import replies
from memspan.bench.cases import Ask, Unit
from memspan.bench.replies import Replies, fingerprint
from memspan.bench.runner import Job, Outcome, Reply
from memspan.bench.systems import Packed

JOB = Job("bm25", [Unit("u0", "a")], [(Ask("what?"), 1)], 20)
OUTCOME = Outcome([Reply(("u0",), {250: Packed(("u0",), ("u1",), 9)}, 0.25)], 1.5, [0.5], 1, 10, 20)


def test_an_outcome_comes_back_whole(tmp_path):
    Replies(tmp_path / "r").put("ab", OUTCOME)
    again = Replies(tmp_path / "r")
    assert again.get("ab") == OUTCOME and again.get("cd") is None and len(again) == 1


@pytest.mark.parametrize("torn", [b'{"key":"cd","out', b'{"key":"cd","outcome":{}', b"\xff\xfe"])
def test_a_torn_end_is_left_out(tmp_path, torn):
    Replies(tmp_path / "r").put("ab", OUTCOME)
    with (tmp_path / "r").open("ab") as file:
        file.write(torn)
    left = Replies(tmp_path / "r")
    assert len(left) == 1 and left.get("ab") == OUTCOME
    left.put("ef", OUTCOME)
    assert left.get("ef") == OUTCOME and Replies(tmp_path / "r").get("ef") == OUTCOME


@pytest.mark.parametrize(
    "other",
    [
        replace(JOB, system="dense"),
        replace(JOB, depth=300),
        replace(JOB, units=[Unit("u0", "b")]),
        replace(JOB, asks=[(Ask("what?", at=1.0), 1)]),
        replace(JOB, asks=[(Ask("what?"), 0)]),
    ],
)
def test_any_change_makes_it_another_job(other):
    assert fingerprint(other) != fingerprint(JOB) == fingerprint(replace(JOB))


def test_other_code_makes_it_another_job(monkeypatch):
    before = fingerprint(JOB)
    monkeypatch.setattr(replies, "code", lambda: "0" * 16)
    assert fingerprint(JOB) != before
