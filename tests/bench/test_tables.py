"""The tables of a run: every figure, its interval, what did not finish, in Markdown that holds together."""

import pytest
from tests.bench.fake_result import SYSTEMS, bare, fake

from memspan.bench.tables import markdown, table
from memspan.bench.verdicts import verdict
from memspan.core.errors import UsageError

KIND = {name: kind for name, _, kind in SYSTEMS}
FEW = ("default", "full", "bm25", "gamma-graph", "oracle")


def few(*sets):
    result = fake({*sets})
    for name, field in (("systems", "name"), ("results", "system"), ("macro", "system")):
        result[name] = [one for one in result[name] if one[field] in FEW]
    result["compared"] = [one for one in result["compared"] if {one["ours"], one["other"]} <= {*FEW}]
    return result


def section(text, title):
    """The words under a heading, up to the next of its rank or a higher one."""
    rank = title.split(" ")[0]
    body = text.split(f"\n{title}\n", 1)[1]
    for end in ("#" * n + " " for n in range(1, len(rank) + 1)):
        body = body.split(f"\n{end}")[0]
    return body


def rows(text, place=0):
    """Cells of a table, the n-th in a text, head first."""
    tables = [part for part in text.split("\n\n") if part.lstrip().startswith("|")]
    lines = tables[place].strip().splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in (lines[0], *lines[2:])]


def short(value):
    return f"{value:.3f}".replace("0.", ".", 1)


def test_few_systems_stand_beside_each_other():
    """A row a set; the best that finished is bold, a control never is, a cut run says how far it came."""
    result = few("locomo", "realmem", "factcons-syn")
    head, *body = rows(section(markdown(result), "## Headline figures"))
    assert head == ["set", "figure", *FEW[:2], "bm25", "gamma-graph", "oracle"]
    of = {(row["set"], row["system"]): row for row in result["results"]}
    for line in body:
        cells = dict(zip(head[2:], line[2:], strict=True))
        done = {name: of[line[0], name] for name in cells if (line[0], name) in of}
        best = max(
            short(row["metrics"]["R@10"]["mean"])
            for name, row in done.items()
            if row["status"] == "done" and KIND[name] != "control"
        )
        assert {name for name, cell in cells.items() if cell.startswith("**")} == {
            name
            for name, row in done.items()
            if row["status"] == "done" and KIND[name] != "control" and short(row["metrics"]["R@10"]["mean"]) == best
        }
        for name, row in done.items():
            mean = row["metrics"]["R@10"]
            shown = f"{short(mean['mean'])} [{short(mean['low'])}, {short(mean['high'])}]"
            assert cells[name].replace("*", "").startswith(shown)
    assert body[1][5].endswith("] cut 4/7")
    assert body[0][6] == "-"


def test_many_systems_stand_below_each_other_six_sets_at_a_time():
    """No table is wider than a page; nothing is lost."""
    text = section(markdown(fake()), "## Headline figures")
    tables = [rows(text, n) for n in range(5)]
    assert [len(one[0]) - 1 for one in tables] == [6, 6, 6, 6, 1]
    assert all(len(one) - 1 == len(SYSTEMS) for one in tables)
    assert "failed" in text
    assert max(map(len, text.splitlines())) < 200


def test_lower_is_better_where_mistakes_are_counted():
    """The best is the smallest."""
    result = few("factcons-syn")
    result["sets"][0]["headline"] = "stale"
    for row in result["results"]:
        row["headline"] = "stale"
    head, line = rows(section(markdown(result), "## Headline figures"))
    least = min(
        (row["metrics"]["stale"]["mean"], row["system"]) for row in result["results"] if row["system"] != "oracle"
    )
    assert line[head.index(least[1])].startswith("**")


def test_comparisons_come_with_words_and_are_counted():
    """The tally adds up to the pairs."""
    result = few("locomo", "realmem", "ama-syn")
    text = section(markdown(result), "## Comparisons")
    pairs = [pair for pair in result["compared"] if pair["metric"] == "R@10"]
    assert [line[-1] for line in rows(text, 2)[1:]] == [verdict(pair) for pair in pairs]
    tally = rows(text, 0)
    for line in tally[1:]:
        said = [verdict(pair) for pair in pairs if [pair["ours"], pair["other"]] == line[:2]]
        assert [int(count) for count in line[2:]] == [said.count(word) for word in tally[0][2:]]
    assert "not testable" in text


def test_each_set_has_card_halves_categories_ladder_and_cost():
    """And the controls of use, where a set has a reader."""
    text = markdown(few("realmem", "pi-syn"))
    real, made = section(text, "### realmem"), section(text, "### pi-syn")
    assert "CC BY-NC 4.0" in real
    assert rows(real)[0][:6] == ["system", "state", "questions / clusters", "R@10", "on dev", "on test"]
    assert "cut 4/7" in {line[1] for line in rows(real)}
    assert rows(real, 1)[0] == ["system", "single &lt;hop> (400)", "multi hop (400)", "temporal (400)"]
    assert {"EM oracle", "EM nothing", "stale"} <= set(rows(made)[0])
    assert rows(made, 1)[0][1:4] == ["EM at 1,000", "EM at 10,000", "EM at 100,000"]
    assert rows(made, 2)[0][1:3] == ["turns", "turns_per_s"]


def test_one_cluster_has_no_interval():
    """A bare number."""
    _, line = rows(section(markdown(few("ama-syn")), "## Headline figures"))
    assert "[" not in "".join(line)


def test_what_a_reader_must_know_stands_first():
    """Notices, what is absent, what did not finish; the split; files of another version."""
    result = fake({"locomo", "beam-100k", "memdaily"})
    text = markdown(result)
    top = text.split("## Headline")[0]
    assert "- Absent: zeta-mem: wants a paid service" in top
    assert "- gamma-graph on memdaily: cut, 4 of 7 cases: time limit" in top
    assert "- beta on beam-100k: failed, 0 of 7 cases: exit 1" in top
    assert "asked the test clusters before: 2" in top
    assert "Dev clusters only" in markdown(result | {"split": "dev"})
    assert {line[2] for line in rows(section(text, "## Data"))[1:]} == {"known"}


def test_words_of_others_are_harmless():
    """No tag, no torn table."""
    text = markdown(fake({"locomo", "beam-100k", "memento"}) | {"notices": ["a | b\n\n# c <img>"]})
    assert "<" not in text.replace("<.001", "").replace("**", "")
    assert "- a \\| b # c &lt;img>" in text


def test_an_older_result_is_refused():
    """With what to do about it."""
    with pytest.raises(UsageError, match="run it again"):
        markdown({"schema": "memspan.bench.run/1"})


def test_a_table_lines_up():
    """Numbers to the right."""
    assert table(["a", "b"], [["x", "10"]]).splitlines() == ["| a |  b |", "|---|---:|", "| x | 10 |"]


def test_a_run_of_which_nothing_came_still_has_tables():
    """It says what was to run, and no more."""
    text = markdown(bare({"locomo"}))
    assert "### locomo" in text
    assert "## Comparisons" not in text
