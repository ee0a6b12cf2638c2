"""LoCoMo without the questions that an audit found wrong, for whoever has the audit beside the data.

Source: dial481/locomo-audit, errors.json (or audit/errors_conv_*.json): of 1,540 questions 99 with a wrong answer and
57 with wrong evidence. Both kinds are dropped, for both spoil a figure: the answer that of a reader, the evidence that
of a ranking. Adversarial questions were not audited and stay.
A listed question is known by its place and its words, so a file with some of the conversations will do.
"""

from collections.abc import Iterator
from dataclasses import replace

from memspan.bench.cases import Case, DataSet, Found
from memspan.bench.datasets import locomo
from memspan.bench.datasets._text import clean
from memspan.bench.files import records
from memspan.core.errors import UsageError


def listed(found: Found) -> set[tuple[str, str]]:
    """(question id, its text) of every question that the audit names; locomo_0_qa37 is q37."""
    rows = [row for path in found["errors"] for row in records(path)]
    return {("q" + row["question_id"].rpartition("_qa")[2], clean(row["question"])) for row in rows}


def read(found: Found) -> Iterator[Case]:
    """One case a conversation. Raises UsageError where no listed question is in the data."""
    wrong = listed(found)
    dropped = 0
    for case in locomo.read(found):
        kept = [one for one in case.questions if (one.id, one.text) not in wrong]
        dropped += len(case.questions) - len(kept)
        yield replace(case, questions=kept)
    if not dropped:
        raise UsageError(f"none of the {len(wrong)} questions that the audit lists is in this LoCoMo file")


SETS = (
    DataSet(
        name="locomo-clean",
        family="",
        metric="R@10",
        parts={
            **locomo.SETS[0].parts,
            "errors": lambda seen: seen.has("question_id", "golden_answer", "error_type", "correct_evidence"),
        },
        read=read,
    ),
)
