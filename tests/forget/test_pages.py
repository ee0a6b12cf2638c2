"""Stale copies: SQLite spreads rows over neighbouring pages and leaves copies behind; forgetting washes them out.

The long form: pytest -m slow tests/forget/test_pages.py
"""

import random

import pytest
from tests.faults.workload import folder_in_ram
from tests.forget.canaries import Dense, Planted, Words, found, free_bytes, of_half, of_word

from memspan import Memory, Turn
from memspan.text.index.words import bag
from memspan.text.store import wash

SCOPES = "abcd"
HALVES = """
SELECT half FROM vector JOIN turn ON turn.seq = vector.turn JOIN scope ON scope.key = turn.scope
WHERE turn.session = ? AND scope.path = 'a' LIMIT 5
"""


def filled(folder, seed, turns, sessions):
    """Four scopes on one file, written in turns, as pages split and mix; (memories, canaries of a by session)."""
    chance, new = random.Random(seed), Words(seed).new
    memories = {scope: Memory(folder / "m.mem", scope=scope, embedders=[Dense()]) for scope in SCOPES}
    planted, number = {}, 0
    while number < turns:
        scope, some = chance.choice(SCOPES), []
        for _ in range(chance.choice([1, 1, 2, 5])):
            number, session = number + 1, f"s{chance.randrange(sessions)}"
            word, name = new(), new()
            text = f"The word is {word} " + "filler " * chance.choice([1, 5, 30])
            some.append(Turn(text, id=name, session=session, at=1.7e9 + number))
            if scope == "a":
                forms = of_word(word) | {"id": name[4:12].encode(), "bag": bag(text)}
                planted.setdefault(session, Planted()).add(f"{number}", forms)
        memories[scope].remember(some)
    return memories, planted


def forgotten(folder, memories, planted):
    """Forget every session of one scope, one after another; what of them was found right after."""
    here, left = memories["a"], []
    for session, words in planted.items():
        with here._store.snapshot() as connection:
            for number, (half,) in enumerate(connection.execute(HALVES, (session,))):
                words.add(f"vector {number}", of_half(half))
        assert here.forget(session=session).status == "erased"
        left += found(folder, words)
    for each in memories.values():
        each.close()
    return left


def test_no_stale_copy_is_left():
    """The words, ids and vectors of each session are gone, and so is every byte that belongs to nothing."""
    with folder_in_ram() as folder:
        memories, planted = filled(folder, seed=0, turns=2000, sessions=8)
        assert forgotten(folder, memories, planted) == []
        assert list(free_bytes((folder / "m.mem").read_bytes())) == []


def test_control_without_washing_stale_bytes_are_left(monkeypatch):
    """Negative control: it is the washing that removes them."""
    monkeypatch.setattr(wash, "wash", lambda name: 0)
    with folder_in_ram() as folder:
        memories, planted = filled(folder, seed=0, turns=1500, sessions=4)
        left = forgotten(folder, memories, planted)
        stale = list(free_bytes((folder / "m.mem").read_bytes(), least=8))
        print(f"control without washing: {len(stale)} pages with stale bytes, {len(left)} canaries found")
        assert len(stale) > 20


def test_control_without_secure_delete_words_are_left():
    """Negative control: it is secure_delete that overwrites what is deleted where it stands."""
    with folder_in_ram() as folder:
        memories, planted = filled(folder, seed=0, turns=400, sessions=4)
        with memories["a"]._store.connection() as connection:
            connection.execute("PRAGMA secure_delete=OFF")
        left = forgotten(folder, memories, planted)
        print(f"control without secure_delete: {len(left)} canaries found")
        assert len(left) > 20


def test_what_washing_leaves_is_whole_and_stays_clean():
    """All scopes still answer, the file passes check(), and what is written after it brings no old page image back."""
    with folder_in_ram() as folder:
        memories, planted = filled(folder, seed=5, turns=800, sessions=6)
        kept = {scope: [turn.text for turn in here.turns()] for scope, here in memories.items()}
        for session in list(planted)[:3]:
            memories["a"].forget(session=session)
        gone = Planted({k: forms for session in list(planted)[:3] for k, forms in planted[session].needles.items()})
        for scope in "bcd":
            assert [turn.text for turn in memories[scope].turns()] == kept[scope]
            memories[scope].remember(f"Something new in {scope}.")
            assert memories[scope].recall("something new").hits[0].text == f"Something new in {scope}."
        memories["a"].remember("Something new in a.")
        assert memories["b"].check().ok
        assert found(folder, gone) == []
        for each in memories.values():
            each.close()
        assert found(folder, gone) == []


def test_a_file_that_cannot_be_washed_is_written_anew(monkeypatch):
    """As one that is encrypted: VACUUM takes the place of washing."""
    monkeypatch.setattr(wash, "washable", lambda name: False)
    monkeypatch.setattr(wash, "wash", lambda name: pytest.fail("this would break an encrypted file"))
    with folder_in_ram() as folder:
        memories, planted = filled(folder, seed=0, turns=800, sessions=3)
        assert forgotten(folder, memories, planted) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_no_stale_copy_is_left_in_a_large_file(seed):
    """The long form: 20,000 turns, 20 sessions forgotten one after another."""
    with folder_in_ram() as folder:
        memories, planted = filled(folder, seed=seed, turns=20_000, sessions=20)
        assert forgotten(folder, memories, planted) == []
        assert list(free_bytes((folder / "m.mem").read_bytes())) == []
