"""Bit rot: one bit of the file is another; what is served must still be word for word what was stored.

Long form: `python -m tests.faults.bitrot --flips 10000 --json OUT.jsonl`.
"""

import argparse
import json
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import apsw
from tests.faults.kills import die, in_child
from tests.faults.workload import folder_in_ram, memory, turn

from memspan import Hit, Turn
from memspan.core.errors import MemspanError
from memspan.text.store.doctor import repair

TURNS = 60
Known = dict[str, tuple[object, ...]]  # turn id -> its fields
Tables = dict[str, list[str]]  # table -> its rows as text
BARE = {"setting", "sqlite_sequence"}  # no text in them, and no checksum
SEEN = ("id", "text", "speaker", "role", "session", "at", "seen_at")
QUESTIONS = ("note about topic", "Note 17 topic 623", "What did S1 say on November 14, 2023?", "Note 5")


@dataclass
class Tally:
    """Counts of one run.

    served: flips after which something was served that was never stored;  changed: flips that changed a row
    missed: of those, how many check() called well;  bare: the same in a table without checksums
    refused: flips after which the file did not open
    untyped: flips after which some verb raised an error that is not ours
    repaired: damaged files that repair() made whole again, of `tried`;  unsaved: that it gave back untouched
    kept: turns saved, of `whole`
    """

    flips: int = 0
    served: int = 0
    changed: int = 0
    missed: int = 0
    bare: int = 0
    refused: int = 0
    untyped: int = 0
    tried: int = 0
    repaired: int = 0
    unsaved: int = 0
    kept: int = 0
    whole: int = 0
    wrong: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)


def make(path: Path) -> Known:
    """A file with two scopes and a long text; what each turn of the first scope looks like, by id."""
    with memory(path, clock=lambda: 1.75e9) as here, memory(path, scope="bob") as other:
        here.remember([turn(number) for number in range(TURNS)])
        here.remember(turn(TURNS, size=200))
        other.remember([turn(number + 1000) for number in range(20)])
        return {found.id: looks(found) for found in here.turns()}


def looks(found: Turn | Hit) -> tuple[object, ...]:
    return tuple(getattr(found, name) for name in SEEN)


def flipped(content: bytes, place: int) -> bytes:
    """The content with one bit turned over. place: [bits]"""
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def rows(path: Path) -> Tables | str:
    """Every row of every table as SQLite reads it, or the error it gives."""
    connection = None
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        listing = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1"
        tables = [name for (name,) in connection.execute(listing)]
        return {table.lower(): sorted(map(repr, connection.execute(f"SELECT * FROM {table}"))) for table in tables}
    except (apsw.Error, UnicodeDecodeError) as why:
        return str(why)
    finally:
        if connection is not None:
            connection.close()


def answers(path: Path, known: Known, untyped: list[str]) -> Iterator[Turn | Hit]:
    """All that memory serves by any verb; typed errors are fine, others are noted."""

    def tried(verb: str, call: Callable[[], Iterable[Turn | Hit]]) -> Iterator[Turn | Hit]:
        try:
            yield from call()
        except MemspanError:
            pass
        except Exception as why:  # noqa: BLE001 - any other error is what we look for
            untyped.append(f"{verb} raised {type(why).__name__}: {why}")

    with memory(path) as here:
        for question in QUESTIONS:
            yield from tried("recall", lambda question=question: here.recall(question, tokens=None, limit=30))
        yield from tried("turns", here.turns)
        for wanted in known:
            yield from tried("get", lambda wanted=wanted: [here.get(wanted)])


def served(path: Path, known: Known, tally: Tally) -> Iterator[str]:
    """What is served that was never stored."""
    untyped: list[str] = []
    for found in answers(path, known, untyped):
        if known.get(found.id) != looks(found):
            yield f"served {str(looks(found))[:200]}"
        if isinstance(found, Hit) and not set(found.sources) <= set(known):
            yield f"cited {found.sources}"
    if untyped:
        tally.untyped += 1
        tally.odd += [f"{path.name}: {untyped[0]}"][: 10 - len(tally.odd)]


def one_flip(path: Path, before: Tables, known: Known, tally: Tally, name: str) -> bool:
    """Look at a flipped file from all sides; whether it is damaged as check() sees it."""
    tally.flips += 1
    after = rows(path)
    changed = after != before
    tally.changed += changed
    try:
        if wrong := list(served(path, known, tally)):
            tally.served += 1
            tally.wrong.append(f"{name}: {wrong[0]}")
        with memory(path) as here:
            healthy = here.check().ok
    except MemspanError:
        tally.refused += 1
        return True
    except Exception as why:  # noqa: BLE001 - any other error is what we look for
        tally.untyped += 1
        tally.odd += [f"{name}: opening or check() raised {type(why).__name__}: {why}"][: 10 - len(tally.odd)]
        return True
    if changed and healthy:
        where = after if isinstance(after, str) else {each for each in before if after.get(each) != before[each]}
        if isinstance(where, set) and where <= BARE:
            tally.bare += 1
            return False
        tally.missed += 1
        tally.wrong.append(f"{name}: check() saw nothing in {where}")
    return not healthy


def mended(path: Path, known: Known, tally: Tally, name: str) -> None:
    """Repair a damaged file: what comes back is true, checks, and every lost turn is named."""
    tally.tried += 1
    try:
        outcome = repair(path)
        with memory(path, scope="bob") as other, memory(path) as here:
            other.rebuild()
            here.rebuild()
            found = {turn.id: looks(turn) for turn in here.turns()}
            problems = here.check().problems
        for name in outcome.renamed:
            with memory(path, scope=name) as adopted:
                found |= {turn.id: looks(turn) for turn in adopted.turns() if turn.id in known}
    except MemspanError as why:
        if "it was left as it is" in str(why):
            tally.unsaved += 1
        else:
            tally.wrong.append(f"{name}: repair gave {type(why).__name__}: {why}")
        return
    except Exception as why:  # noqa: BLE001 - any other error is what we look for
        tally.untyped += 1
        tally.odd += [f"{name}: repair raised {type(why).__name__}: {why}"][: 10 - len(tally.odd)]
        return
    tally.kept, tally.whole = tally.kept + len(found), tally.whole + len(known)
    if any(known.get(wanted) != look for wanted, look in found.items()):
        tally.wrong.append(f"{name}: repair made up a turn")
    elif problems:
        tally.wrong.append(f"{name}: after repair {problems[:2]}")
    elif len(found) < len(known) and not outcome.lost:
        tally.wrong.append(f"{name}: repair lost {len(known) - len(found)} turns and named none")
    else:
        tally.repaired += 1


def flips(count: int, seed: int, repairs: int) -> Tally:
    """So many random flips of one bit in the file, the first `repairs` damaged ones also repaired."""
    chance, tally = random.Random(seed), Tally()
    with folder_in_ram() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = make(folder / "whole.mem")
        content = (folder / "whole.mem").read_bytes()
        before = rows(folder / "whole.mem")
        assert isinstance(before, dict)
        for number in range(count):
            place = chance.randrange(8 * len(content))
            path = folder / f"{number}.mem"
            path.write_bytes(flipped(content, place))
            if one_flip(path, before, known, tally, f"bit {place}") and tally.tried < repairs:
                path.write_bytes(flipped(content, place))
                mended(path, known, tally, f"bit {place}")
            for left in folder.glob(f"{number}.mem*"):
                left.unlink()
    return tally


def log_flips(count: int, seed: int) -> Tally:
    """The same in a log that a killed process left: what is served is true, and what is there is a prefix."""
    chance, tally = random.Random(seed), Tally()
    with folder_in_ram() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")

        def fill(pipe: int) -> None:
            here = memory(folder / "whole.mem", clock=lambda: 1.75e9)
            for number in range(TURNS):
                here.remember(turn(number))
            die()

        in_child(fill)
        files = {suffix: (folder / f"whole.mem{suffix}").read_bytes() for suffix in ("", "-wal")}
        with memory(folder / "whole.mem") as here:
            known = {found.id: looks(found) for found in here.turns()}
        for number in range(count):
            path = folder / f"{number}.mem"
            place = chance.randrange(8 * len(files["-wal"]))
            path.write_bytes(files[""])
            Path(f"{path}-wal").write_bytes(flipped(files["-wal"], place))
            tally.flips += 1
            try:
                wrong = list(served(path, known, tally))
                with memory(path) as here:
                    there = [found.id for found in here.turns()]
                if there != list(known)[: len(there)]:
                    wrong.append("not a prefix of what was written")
                tally.changed += len(there) < len(known)
                tally.served += bool(wrong)
                tally.wrong += [f"log bit {place}: {what}" for what in wrong[:1]]
            except MemspanError:
                tally.refused += 1
            for left in folder.glob(f"{number}.mem*"):
                left.unlink()
    return tally


def main() -> None:
    """The long form."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--flips", type=int, default=10_000)
    options.add_argument("--repairs", type=int, default=1_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    failed = 0
    for what, run in (
        ("file", lambda: flips(given.flips, given.seed, given.repairs)),
        ("log", lambda: log_flips(given.flips // 5, given.seed)),
    ):
        started = time.perf_counter()
        tally = run()
        counts = {each.name: getattr(tally, each.name) for each in fields(tally)}
        counts["wrong"] = tally.wrong[:20]
        counts["odd"] = tally.odd
        line = json.dumps({"harness": "bitrot", "in": what, "seed": given.seed, **counts,
                           "seconds": time.perf_counter() - started})  # fmt: skip
        print(line, flush=True)
        if given.json:
            with given.json.open("a") as out:
                out.write(line + "\n")
        failed += len(tally.wrong)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
