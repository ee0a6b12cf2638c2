"""The figure for times that questions mean, on labels of our own."""

import json
import lzma
from math import inf

import pytest
from click.testing import CliRunner

from memspan.bench.time_ranges import Labelled, labelled, markdown, measure, score
from memspan.core.errors import UsageError
from memspan.doors.cli.bench import bench

DAY = 86_400.0


def row(number, question, start, end):
    """A question as the real file has it; what an answer would give away has another name there."""
    return {
        "id": f"q{number}",
        "question": question,
        "question_time_range": {"start": start, "end": end},
        "reasoning": "none",
        "events": {"event_time": [start, end]},
    }


ROWS = [
    row(1, "What did Ida do on 2 January 1970?", "1970-01-02T00:00:00", "1970-01-02T23:59:59"),
    row(2, "What grew between January 2, 1970 and January 3, 1970?", "1970-01-02T00:00:00", "1970-01-05T23:59:59"),
    row(3, "What was new after January 2, 1970?", "1970-01-03T00:00:00", "2025-07-17T11:00:00"),
    row(4, "Who is Olaf?", "unknown", "unknown"),
    row(5, "Who sang yesterday?", "1970-01-02T00:00:00", "1970-02-31T00:00:00"),
    {**row(6, "Which two?", "", ""), "question_time_range": {"start": ["a"], "end": ["b"]}},
]


@pytest.fixture
def data(tmp_path):
    """A folder with the rows, packed as the real file is."""
    with lzma.open(tmp_path / "any.jsonl.xz", "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(one) + "\n" for one in ROWS)
    return tmp_path


def test_labels_are_read_as_half_open_ranges(data):
    """A second is added to an end; what was not known, or is the labelling day, is open; lists are left out."""
    found = list(labelled(data))
    assert [one.gold for one in found] == [
        (DAY, 2 * DAY),
        (DAY, 5 * DAY),
        (2 * DAY, inf),
        (-inf, inf),
        (DAY, inf),
    ]
    assert {one.half for one in found} <= {"first half", "second half"}
    assert found[0] == Labelled(ROWS[0]["question"], (DAY, 2 * DAY), found[0].half)


def test_a_reading_is_scored_by_its_ends_and_its_overlap():
    """One second is forgiven at each end; nothing read, or an open end, overlaps by nothing."""
    assert score((0.0, 10.0), (1.0, 10.0)) == (True, 0.9)
    assert score((0.0, 10.0), (5.0, 15.0)) == (False, 1 / 3)
    assert score((0.0, 10.0), (20.0, 30.0)) == (False, 0.0)
    assert score((0.0, inf), (0.0, inf)) == (True, 0.0)
    assert score(None, (0.0, 1.0)) == (False, 0.0)


def test_the_result_counts_each_kind_of_label(data):
    """Closed labels by exact ends and overlap, half-open ones by their ends, the rest by silence."""
    everything = measure(data, ["memspan"])["results"]["all"]
    assert everything == {
        "closed": 2,
        "exact": 0.5,
        "iou": 0.75,
        "half_open": 2,
        "half_open_exact": 0.5,
        "without": 1,
        "without_right": 1.0,
    }
    silent = measure(data, ["memspan"], reader=lambda question: None)["results"]["all"]
    assert (silent["exact"], silent["iou"], silent["without_right"]) == (0.0, 0.0, 1.0)


def test_the_command_prints_and_writes_the_table(data, tmp_path):
    """Markdown on the screen, JSON in the file; a folder without the data is refused."""
    out = tmp_path / "out" / "ranges.json"
    out.parent.mkdir()
    run = CliRunner().invoke(bench, ["ranges", "--data", str(data), "--json", str(out)])
    assert run.exit_code == 0 and "| all " in run.output
    assert markdown(json.loads(out.read_text(encoding="utf-8"))) == run.output
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="time-ranges"):
        measure(tmp_path / "none", ["memspan"])
