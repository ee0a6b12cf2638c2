"""`memspan recall`: the evidence on a question."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from memspan.core.records import Hit, Json, Recall
from memspan.doors.cli import _options, _show


@click.command()
@click.argument("question")
@_options.whose_memory
@click.option(
    "--tokens", type=click.IntRange(min=1), default=1000, show_default=True, help="The evidence fits into these."
)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many turns.")
@click.option(
    "--explain", is_flag=True, help="Say of each turn why it is there: which arm, rank, raw score, what it added."
)
@click.option("--context", is_flag=True, help="Print only the text to put into a prompt.")
@_options.json_option
def recall(question: str, memory: Path, scope: str, tokens: int, limit: int | None, **form: bool) -> None:
    """Print the turns that bear on QUESTION, best first, each with who said it, when, and its id.

    Instructions that always apply stand in a block of their own. The confidence is the probability that the answer
    is in what was found. The exit code is 1 where nothing was found.
    """
    with _options.opened(memory, scope, read_only=True) as opened:
        found = opened.recall(question, tokens=tokens, limit=limit)
    if form["as_json"]:
        click.echo(_show.as_json(as_fields(found, scope, form["explain"])))
    elif form["context"]:
        click.echo(_show.safe(found.context))
    else:
        click.echo("\n".join(_page(found, memory, scope, form["explain"])))
    if not found:
        sys.exit(1)


def as_fields(found: Recall, scope: str, explain: bool = True) -> dict[str, Json]:
    """The recall as JSON can hold it."""
    return {
        "question": found.question,
        "scope": scope,
        "confidence": round(found.confidence, 4),
        "cost": {"tokens": found.cost.tokens, "seconds": round(found.cost.seconds, 6)},
        "hits": [_fields(hit, explain) for hit in found.hits],
        "standing": [_fields(hit, explain) for hit in found.standing],
        "context": found.context,
    }


def _fields(hit: Hit, explain: bool) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "rank": hit.rank,
        "id": hit.id,
        "text": hit.text,
        "speaker": hit.speaker,
        "role": hit.role,
        "session": hit.session,
        "at": _show.moment(hit.at) or None,
        "score": round(hit.score, 4),
        "tokens": hit.tokens,
        "sources": list(hit.sources),
        "meta": dict(hit.meta),
    }
    if explain:
        fields["why"] = [
            {"arm": arm.name, "rank": arm.rank, "score": round(arm.score, 4), "added": round(arm.added, 4)}
            for arm in hit.why
        ]
    return fields


def _page(found: Recall, memory: Path, scope: str, explain: bool) -> Iterator[str]:
    if not found:
        yield f"nothing found in {_show.one_line(str(memory))}, scope {_show.one_line(scope)}"
        return
    if found.standing:
        yield click.style("Always applies", bold=True)
        for hit in found.standing:
            yield _show.wrapped(f"- {hit.text}", "  ")
        yield ""
    for number, hit in enumerate(found.hits, start=1):
        yield from entry(number, hit, explain)
    yield summary(found, scope)


def entry(number: int, hit: Hit, explain: bool) -> Iterator[str]:
    """A hit: who and when, the words, where it is kept."""
    who = _show.one_line(hit.speaker or hit.role)
    place = " · ".join(_show.one_line(part) for part in (_show.when(hit.at), hit.session) if part)
    yield click.style(f"[{number}] {who}", bold=True) + (f"  {place}" if place else "")
    yield _show.wrapped(hit.text)
    if explain:
        yield from (f"{_show.INDENT}{line}" for line in _why(hit))
    yield click.style(f"{_show.INDENT}id {_show.one_line(hit.id)} · score {hit.score:.2f}", dim=True)
    yield ""


def _why(hit: Hit) -> Iterator[str]:
    width = max((len(arm.name) for arm in hit.why), default=0)
    for arm in hit.why:
        yield f"{arm.name.ljust(width)}  rank {arm.rank:>4}   score {arm.score:>8.3f}   added {arm.added:>+7.3f}"


def summary(found: Recall, scope: str) -> str:
    """One line: how much, how sure, what it cost."""
    return " · ".join(
        (
            _show.amount(len(found.hits), "turn"),
            _show.amount(found.cost.tokens, "token"),
            _show.duration(found.cost.seconds),
            f"confidence {found.confidence:.2f}",
            f"scope {_show.one_line(scope)}",
        )
    )
