"""`memspan recall`: the evidence on a question."""

import sys
from collections.abc import Iterator
from typing import Any

import click

from memspan.core.places import Location
from memspan.core.records import QUALITIES, Hit, Recall
from memspan.doors import fields
from memspan.doors.cli import _options, _show


@click.command()
@click.argument("question")
@_options.whose_memory
@click.option(
    "--tokens", type=click.IntRange(min=1), default=1000, show_default=True, help="The evidence fits into these."
)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many turns and records.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    callback=lambda _context, _option, kinds: kinds or None,
    help="Only this kind: turn, or one of records, like fact, preference, episode, entity. May be given several times."
    "  [default: turns and all records that reflect did not make]",
)
@click.option("--as-of", help="What had happened and held at this moment: ISO 8601, e.g. 2024-06-01.")
@click.option("--known-at", help="What memory knew at this moment.")
@click.option("--history", is_flag=True, help="Rank what no longer holds as if it still did.")
@click.option(
    "--quality",
    type=click.Choice(QUALITIES),
    default=QUALITIES[0],
    show_default=True,
    help="high: the best are read again with MiniLM (extra [onnx]): more of the evidence first, in tenths of a second.",
)
@click.option(
    "--explain", is_flag=True, help="Say of each turn why it is there: which arm, rank, raw score, what it added."
)
@click.option("--context", is_flag=True, help="Print only the text to put into a prompt.")
@_options.json_option
def recall(
    question: str, memory: Location, scope: str, explain: bool, context: bool, as_json: bool, **asked: Any
) -> None:
    """Print what bears on QUESTION, best first: turns with who said them, when, and their ids, and facts about them.

    What something newer has replaced stands behind it, with until when it held and by what it was superseded.
    Instructions that always apply stand in a block of their own. The confidence is the probability that the answer
    is in what was found. The exit code is 1 where nothing was found.
    """
    with _options.opened(memory, scope, read_only=True) as opened:
        found = opened.recall(question, **asked)
    if as_json:
        click.echo(_show.as_json(fields.of_recall(found, scope, explain=explain)))
    elif context:
        click.echo(_show.safe(found.context))
    else:
        click.echo("\n".join(_page(found, memory, scope, explain)))
    if not found:
        sys.exit(1)


def _page(found: Recall, memory: Location, scope: str, explain: bool) -> Iterator[str]:
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
    who, kind = _show.one_line(hit.speaker or hit.role), "" if hit.kind == "turn" else hit.kind
    place = " · ".join(_show.one_line(part) for part in (kind, _show.when(hit.at), hit.session) if part)
    yield click.style(f"[{number}] {who}", bold=True) + (f"  {place}" if place else "")
    yield from (click.style(f"{_show.INDENT}{_show.one_line(line)}", fg="yellow") for line in _doubts(hit))
    yield _show.wrapped(hit.text)
    if explain:
        yield from (f"{_show.INDENT}{line}" for line in _why(hit))
    yield click.style(f"{_show.INDENT}id {_show.one_line(hit.id)} · score {hit.score:.2f}", dim=True)
    yield ""


def _doubts(hit: Hit) -> Iterator[str]:
    """What speaks against taking a hit as it stands."""
    if hit.status == "superseded":
        held = hit.until is not None and (hit.at is None or hit.until > hit.at)  # else it was wrong from the start
        until = f"held until {_show.when(hit.until)}; " if held else ""
        yield f"{until}superseded" + (f" by {hit.heir}" if hit.heir else "")
    elif hit.until is not None:
        yield f"held until {_show.when(hit.until)}"
    if hit.contradicts:
        yield f"contradicts {', '.join(hit.contradicts)}"
    if hit.suspect:
        yield "reads like an instruction to a model, from somebody who may not give one"


def _why(hit: Hit) -> Iterator[str]:
    width = max((len(arm.name) for arm in hit.why), default=0)
    for arm in hit.why:
        yield f"{arm.name.ljust(width)}  rank {arm.rank:>4}   score {arm.score:>8.3f}   added {arm.added:>+7.3f}"


def _counts(found: Recall) -> Iterator[str]:
    turns = sum(hit.kind == "turn" for hit in found.hits)
    records = len(found.hits) - turns
    if turns or not records:
        yield _show.amount(turns, "turn")
    if records:
        yield _show.amount(records, "record")


def summary(found: Recall, scope: str) -> str:
    """One line: how much, how sure, what it cost."""
    return " · ".join(
        (
            *_counts(found),
            _show.amount(found.cost.tokens, "token"),
            _show.duration(found.cost.seconds),
            f"confidence {found.confidence:.2f}",
            f"scope {_show.one_line(scope)}",
        )
    )
