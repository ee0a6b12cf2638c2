"""T8: a memory file from a stranger: typed errors, in bounded time, and nothing of his runs."""

import random
import sqlite3
import time
import warnings

import apsw
import pytest
from tests.faults.bitrot import Tally, looks, make, served
from tests.faults.workload import folder_in_ram, memory, turn

from memspan.core.errors import MemspanError
from memspan.text.store.doctor import examine, repair

PAGE = 4096
TRAPS = {
    "trigger that deletes": "CREATE TRIGGER t AFTER INSERT ON turn BEGIN DELETE FROM turn; END",
    "trigger that rewrites": "CREATE TRIGGER t AFTER INSERT ON turn BEGIN UPDATE turn SET text = 'obey'; END",
    "trigger that refuses": "CREATE TRIGGER t BEFORE INSERT ON turn BEGIN SELECT raise(ABORT, 'no'); END",
    "view": "CREATE VIEW standing AS SELECT load_extension('evil') FROM turn",
    "another table": "CREATE TABLE evil (x)",
}


@pytest.mark.parametrize("kind", TRAPS)
def test_what_a_stranger_put_into_the_file_does_not_run(tmp_path, kind):
    """Triggers and views in the file are dead letters."""
    path = tmp_path / "a.mem"
    with memory(path) as here:
        here.remember([turn(0), turn(1)])
    other = sqlite3.connect(path)
    other.execute(TRAPS[kind])
    other.commit()
    other.close()
    with memory(path) as here:
        here.remember(turn(2))
        assert [found.text for found in here.turns()] == [turn(number).text for number in range(3)]
        assert turn(2).text in {hit.text for hit in here.recall(turn(2).text, tokens=None)}


def mutated(content, chance):
    """The file with some pages or bytes not where or what they were."""
    pages = [content[start : start + PAGE] for start in range(0, len(content), PAGE)]
    kind = chance.choice(["swap", "zero", "noise", "repeat", "cut", "byte soup", "header"])
    one, other = chance.randrange(len(pages)), chance.randrange(len(pages))
    if kind == "swap":
        pages[one], pages[other] = pages[other], pages[one]
    elif kind == "zero":
        pages[one] = bytes(PAGE)
    elif kind == "noise":
        pages[one] = chance.randbytes(PAGE)
    elif kind == "repeat":
        pages[one] = pages[other]
    elif kind == "cut":
        pages = pages[:one]
    else:
        changed = bytearray(content)
        for _ in range(30):
            changed[chance.randrange(100 if kind == "header" else len(changed))] = chance.randrange(256)
        return kind, bytes(changed)
    return kind, b"".join(pages)


def attempts(count, seed):
    """Open, recall, check, examine and repair so many mutated files.

    Returns what was false, which errors were not ours, how long the slowest took [s] and how many were refused.
    """
    chance, wrong, untyped, slowest, refused = random.Random(seed), [], [], 0.0, 0
    with folder_in_ram() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = make(folder / "whole.mem")
        content = (folder / "whole.mem").read_bytes()
        for number in range(count):
            kind, changed = mutated(content, chance)
            path = folder / f"{number}.mem"
            path.write_bytes(changed)
            name, tally = f"seed {seed}, file {number}, {kind}", Tally()
            started = time.perf_counter()
            try:
                wrong += [f"{name}: {what}" for what in served(path, known, tally)]
                with memory(path) as here:
                    here.check()
            except MemspanError:
                refused += 1
            except Exception as why:  # noqa: BLE001 - any other error is what we look for
                untyped.append(f"{name}: opening or check() raised {type(why).__name__}: {why}")
            untyped += [f"{name}: {what}" for what in tally.odd]
            slowest = max(slowest, time.perf_counter() - started)
            false, odd = _doctored(path, changed, known)
            wrong += [f"{name}: {what}" for what in false]
            untyped += [f"{name}: {what}" for what in odd]
            for left in folder.glob(f"{number}.mem*"):
                left.unlink()
    return wrong, untyped, slowest, refused


def _doctored(path, changed, known):
    path.write_bytes(changed)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    try:
        examine(path)
        repair(path)
        with memory(path) as here:
            made_up = [found for found in here.turns() if known.get(found.id) != looks(found)]
            return [f"repair made up {str(looks(found))[:200]}" for found in made_up], []
    except MemspanError:
        return [], []
    except Exception as why:  # noqa: BLE001 - any other error is what we look for
        return [], [f"{type(why).__name__}: {why}"]


def judge(count, seed):
    wrong, untyped, slowest, refused = attempts(count, seed)
    print(
        f"{count} mutated files: {refused} refused, {len(wrong)} false, {len(untyped)} errors not ours, "
        f"slowest {slowest:.2f} s"
    )
    for line in [*wrong[:10], *untyped[:10]]:
        print("  ", line[:300])
    assert wrong == []
    assert slowest < 1.0
    assert 0 < refused < count
    return untyped


def test_mutated_files_are_refused_or_true():
    """Pages swapped, zeroed, cut, noise: typed errors, only true words, under a second each."""
    judge(60, seed=1)


def test_every_error_of_a_mutated_file_is_ours():
    """Damage of any kind is told as damage."""
    assert judge(30, seed=1) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 14))
def test_a_thousand_mutated_files(seed):
    """The long form, 250 a seed."""
    judge(250, seed=seed)


DAMAGE = {
    "bag of three bytes": "UPDATE unit SET bag = x'010203'",
    "marks past a byte": "UPDATE unit SET marks = 3289373989",
    "negative marks": "UPDATE unit SET marks = -5",
    "head past 64 bits": "UPDATE unit SET head = -9223372036854775808",
    "vector of a byte": "UPDATE vector SET half = x'01'",
    "vector too long": "UPDATE vector SET half = zeroblob(1000)",
    "time past the calendar": "UPDATE turn SET at = 1e300",
    "no such role": "UPDATE turn SET role = 77",
    "scope renamed": "UPDATE scope SET path = 'mallory' WHERE path = 'alice'",
    "no units": "DELETE FROM unit",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_row_is_told_as_damage(tmp_path, kind):
    """Whatever stands in a row: check() sees it, recall gives true words or an error of ours."""
    path = tmp_path / "a.mem"
    known = make(path)
    other = apsw.Connection(str(path))
    other.execute("PRAGMA foreign_keys=OFF")
    other.execute(DAMAGE[kind])
    other.close()
    tally = Tally()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = list(served(path, known, tally))
        with memory(path) as here:
            assert not here.check().ok
    assert wrong == []
    assert tally.odd == []
