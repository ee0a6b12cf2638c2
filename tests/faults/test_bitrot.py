"""T7: a bit of the file turns over: nothing wrong is served, check() sees it, repair saves the rest."""

import pytest
from tests.faults.bitrot import flips, log_flips, make
from tests.faults.workload import memory

from memspan.text.store import rows
from memspan.text.store.doctor import repair


def show(tally):
    print(
        f"{tally.flips} flips, {tally.changed} changed a row; {tally.served} served wrong, {tally.missed} missed by "
        f"check() ({tally.bare} more in tables without checksum), {tally.refused} refused to open, "
        f"{tally.untyped} raised an error not ours; {tally.repaired} of {tally.tried} repaired, {tally.unsaved} given "
        f"back, {tally.kept} of {tally.whole} turns kept"
    )
    for line in [*tally.wrong[:10], *tally.odd[:5]]:
        print("  ", line)


def judge(tally, least):
    show(tally)
    assert tally.flips >= least
    assert tally.changed > 0
    assert (tally.served, tally.missed) == (0, 0), tally.wrong[:5]
    assert tally.wrong == []


def test_no_flipped_bit_is_served():
    """200 flips in the file, 15 of the damaged files repaired."""
    judge(flips(200, seed=5, repairs=15), least=200)


def test_no_flipped_bit_of_the_log_is_served():
    """A damaged log loses its end, never its truth."""
    judge(log_flips(40, seed=6), least=40)


def test_control_without_checksums_is_caught(monkeypatch):
    """Negative control: with the checksums not looked at, wrong words are served."""
    monkeypatch.setattr(rows, "intact", lambda row: True)
    tally = flips(120, seed=5, repairs=0)
    show(tally)
    assert tally.served > 0


def test_every_error_after_a_flip_is_ours():
    """Damage is DamagedFile or a missing turn, never an error of the language."""
    tally = flips(60, seed=5, repairs=0)
    show(tally)
    assert tally.untyped == 0, tally.odd


def damaged(path, before, after):
    """A file in which some bytes are others, wherever they stand."""
    known = make(path)
    content = path.read_bytes()
    assert before in content
    path.write_bytes(content.replace(before, after))
    return known


def test_a_flip_in_the_table_of_embedders_is_seen(tmp_path):
    """A wrong fingerprint makes good vectors look like another embedder's."""
    damaged(tmp_path / "a.mem", b"hashing:16hashing", b"hashing:16hishing")
    with memory(tmp_path / "a.mem") as here:
        assert not here.check().ok


@pytest.mark.parametrize("table", [b"link", b"record", b"tombstone"])
def test_repair_saves_the_turns_where_the_schema_is_damaged(tmp_path, table):
    """One letter in the text of CREATE TABLE, of a table without a turn in it: every turn can still be read."""
    path = tmp_path / "a.mem"
    known = damaged(path, b"CREATE TABLE " + table, b"CRAATE TABLE " + table)
    assert repair(path).saved >= len(known)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_ten_thousand_flips(seed):
    """2,000 flips a seed, and 200 in the log."""
    judge(flips(2_000, seed=seed, repairs=200), least=2_000)
    judge(log_flips(200, seed=seed), least=200)
