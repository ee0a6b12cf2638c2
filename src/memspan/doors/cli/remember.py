"""`memspan remember`: read files into a memory."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from memspan.core.errors import MalformedFile, StoreError, UsageError
from memspan.core.places import Location
from memspan.core.records import Turn
from memspan.doors.batches import remembered, taken
from memspan.doors.cli import _options, _show
from memspan.doors.cli._stopping import Stopping

if TYPE_CHECKING:
    from memspan.core.records import Remembered
    from memspan.text.memory import Memory

POLICIES = ("allow", "redact", "quarantine")
LOWER = ("agent", "tool", "import", "unknown")
BATCH_TURNS = 1_000
BATCH_CHARS = 4_000_000


@dataclass(slots=True)
class Tally:
    """What became of one file.

    refused: turns whose words were forgotten here;  quarantined, redacted: turns with secrets, by the policy
    error: why it was not read to its end, "" = it was
    """

    name: str
    added: int = 0
    known: int = 0
    refused: int = 0
    quarantined: int = 0
    redacted: int = 0
    error: str = ""

    @property
    def stored(self) -> int:
        return self.added + self.known

    def count(self, made: "Remembered") -> None:
        """Take in what one call of remember did."""
        self.added, self.known = self.added + made.added, self.known + made.known
        self.refused += len(made.refused)
        self.quarantined += len(made.quarantined)
        self.redacted += len(made.redacted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """The options of `remember`, as they were given."""

    text: str | None
    at: str | None
    speaker: str
    session: str | None
    format_name: str | None
    setting: str | None
    source: str | None
    trust: str | None
    secrets: str | None
    again: bool

    def meta(self) -> dict[str, str]:
        """What is noted with every turn."""
        said = {"source": self.source, "trust": self.trust}
        return {name: value for name, value in said.items() if value}


@click.command()
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False, allow_dash=True))
@_options.whose_memory
@click.option("--text", help="Remember this sentence, said now, instead of files.")
@click.option("--at", help="When --text was said: ISO 8601, e.g. 2024-06-01T10:00Z.  [default: now]")
@click.option("--speaker", default="", help="Who speaks where the file does not say.")
@click.option("--session", help="The conversation it belongs to.  [default: as the file says, else its name]")
@click.option("--format", "format_name", help="How the files are written.  [default: recognised by content]")
@click.option("--source", help="Where it comes from: noted with every turn, and `forget --source` finds it.")
@click.option(
    "--trust",
    type=click.Choice(LOWER),
    help="Trust it no more than this: it never becomes a rule or a liking, and one source gets little room.",
)
@click.option(
    "--secrets",
    type=click.Choice(POLICIES),
    help="What happens to keys and passwords in this scope, from now on (extra [secrets]).  [default: as before]",
)
@click.option("--again", is_flag=True, help="Take in words that were forgotten here; without it they are refused.")
@_options.setting_option
@_options.json_option
def remember(files: tuple[str, ...], memory: Location, scope: str, as_json: bool, **how: Any) -> None:
    """Read FILES (- is standard input) into a memory, and keep every word.

    Formats: plain text, markdown, jsonl (one turn a line), chatgpt and claude (exports, also as the zip they come
    in), openai_messages. Reading a file again adds only what is new, so a stopped run is resumed by running it
    again. A malformed file is named with its line; the turns before it are stored, the exit code is 2.
    """
    options = _How(**how)
    if (options.text is None) == (not files):
        raise click.UsageError("give FILES (- for standard input), or --text.")
    start = time.perf_counter()
    with _options.opened(memory, scope, new=True, setting=options.setting, secrets=options.secrets) as opened:
        if options.text is not None:
            tallies = [_remember_text(opened, options.text, options)]
        else:
            tallies = [_remember_file(opened, name, memory, options) for name in files]
    _report(tallies, memory, scope, time.perf_counter() - start, as_json)
    if any(tally.error for tally in tallies):
        sys.exit(2)


def _remember_text(memory: "Memory", text: str, how: _How) -> Tally:
    tally = Tally("--text")
    session, meta = how.session or "", how.meta()
    tally.count(memory.remember(text, speaker=how.speaker, session=session, at=how.at, meta=meta, again=how.again))
    return tally


def _remember_file(memory: "Memory", name: str, path: Location, how: _How) -> Tally:
    from memspan.text.read import read

    tally, bar = Tally("standard input" if name == "-" else name), _show.Bar(f"remembering {name}")
    source: str | BinaryIO = sys.stdin.buffer if name == "-" else name
    turns = read(source, format=how.format_name, session=how.session, speaker=how.speaker, progress=bar)
    try:
        _store(memory, _noted(turns, how.meta()), tally, bar, again=how.again)
    except UsageError as why:
        tally.error = f"{why}. {_safe_ones(tally, path)}"
    except StoreError:
        bar.clear()
        click.echo(f"memspan: {_show.one_line(tally.name)} is not read to its end. {_safe_ones(tally, path)}", err=True)
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped. {_safe_ones(tally, path)}; run the same command again to go on") from None
    finally:
        bar.clear()
    if tally.error:
        click.echo(f"memspan: {_show.one_line(tally.error)}", err=True)
    return tally


def _noted(turns: Iterator[Turn], meta: dict[str, str]) -> Iterator[Turn]:
    return (replace(turn, meta={**turn.meta, **meta}) for turn in turns) if meta else turns


def _safe_ones(tally: Tally, path: Location) -> str:
    verb = "is" if tally.stored == 1 else "are"
    return f"{_show.amount(tally.stored, 'turn')} of it {verb} safe in {_show.one_line(str(path))}"


def _store(memory: "Memory", turns: Iterator[Turn], tally: Tally, bar: _show.Bar, *, again: bool) -> None:
    """Remember the turns in batches; each is safe when the next is begun."""
    with Stopping() as stopping:
        while True:
            batch, broken = taken(turns, BATCH_TURNS, BATCH_CHARS, MalformedFile)
            if batch:
                with stopping.held():
                    for made in remembered(memory, batch, again=again):
                        tally.count(made)
                bar.note = _show.amount(tally.stored, "turn")
            if broken:
                raise broken
            if not batch:
                return


def _report(tallies: list[Tally], memory: Location, scope: str, seconds: float, as_json: bool) -> None:
    sums = {name: sum(getattr(tally, name) for tally in tallies) for name in _COUNTS}
    if as_json:
        files = [
            {"name": tally.name, **{name: getattr(tally, name) for name in _COUNTS}, "error": tally.error or None}
            for tally in tallies
        ]
        fields = {"memory": str(memory), "scope": scope, **sums}
        click.echo(_show.as_json({**fields, "seconds": round(seconds, 6), "files": files}))
        return
    there = f" ({sums['known']:,} already there)" if sums["known"] else ""
    click.echo(
        f"remembered {_show.amount(sums['added'], 'new turn')}{there} in {_show.one_line(str(memory))}, "
        f"scope {_show.one_line(scope)}, in {_show.duration(seconds)}"
    )
    for name, what in _COUNTS.items():
        if what and sums[name]:
            click.echo(f"{_show.amount(sums[name], 'turn')} {what}")


_COUNTS = {
    "added": "",
    "known": "",
    "refused": "refused, because these words were forgotten here; --again takes them in all the same",
    "quarantined": "kept out of recall, because there are secrets in them",
    "redacted": "stored with their secrets blacked out",
}
