"""A file and a server hold the same: the same operations, the same memory; the same question, the same scores."""

from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.stores import NOW, File

from memspan import Memory, Turn
from memspan.core.errors import MemspanError
from memspan.text.embed.hashing import Hashing

QUESTIONS = ("Where does Ana live?", "What is the code of the safe?", "When did they paint the barn?", "bees", "Ö?")
TEXTS = st.sampled_from(
    [
        "I moved to Lisbon.",
        "I live in Porto now.",
        "The code of the safe is 4711.",
        "We painted the barn on 3 May 2023.",
        "Always answer in Portuguese.",
        "Öl und Käse 我 🙂 'quoted' \"twice\" 100% ? :name",
        "Ana keeps bees behind the barn; Tom does not like them, \u200bhe says.",
    ]
)
STEPS = st.one_of(
    st.tuples(st.just("remember"), TEXTS, st.sampled_from(["s", "t"]), st.sampled_from(["Ana", "Tom", ""])),
    st.tuples(st.just("correct"), st.integers(0, 9), TEXTS),
    st.tuples(st.sampled_from(["pin", "hold", "release", "archive", "restore", "forget"]), st.integers(0, 9)),
    st.tuples(st.just("forget_session"), st.sampled_from(["s", "t"])),
    st.tuples(st.sampled_from(["undo", "reflect", "forget_all"])),
)


def step(memory: Memory, what: tuple) -> object:
    """Do one step; what it gave, or the kind of error."""
    name, *given = what
    ids = [kept.id for kept in memory.turns()]
    try:
        if name == "remember":
            text, session, speaker = given
            return memory.remember([Turn(text, session=session, speaker=speaker, at=NOW)]).ids
        if name == "forget_session":
            return memory.forget(session=given[0]).items
        if name == "forget_all":
            return memory.forget(everything=True).items
        if name in ("undo", "reflect"):
            done = getattr(memory, name)()
            return done.verb if name == "undo" else done.derived
        if not ids:
            return None
        wanted = ids[given[0] % len(ids)]
        return memory.correct(wanted, given[1]) if name == "correct" else str(type(getattr(memory, name)(wanted)))
    except MemspanError as why:
        return type(why)


def told(memory: Memory) -> dict[str, object]:
    """All that can be read of a memory, but for its numbers of operations, which count per file or per scope."""
    return {
        "turns": [(kept, memory.item(kept.id)[1]) for kept in memory.turns()],
        "records": memory.records(),
        "links": memory.links(),
        "events": [
            (one.at, one.what, one.kind, "" if one.kind == "operation" else one.id, one.text, one.heir)
            for one in memory.changes()
        ],
        "receipts": [(one.items, one.status, one.rows, one.kept) for one in memory.receipts()],
        "counts": (memory.stats().turns, memory.stats().sessions, memory.stats().without_vector),
    }


def hits(memory: Memory) -> list[object]:
    """What the questions find, with scores and reasons to the last bit."""
    found = [memory.recall(question, tokens=None, limit=20) for question in QUESTIONS]
    return [(one.confidence, [(hit.id, hit.score, hit.why, hit.status) for hit in one.hits]) for one in found]


class Ticking:
    """A clock that goes on by a second with every look."""

    def __init__(self) -> None:
        self.ticks = count()

    def __call__(self) -> float:
        return NOW + next(self.ticks)


_scopes = count()


def both(file: File, place, steps: list[tuple]) -> None:
    """Every step gives the same on both, and so does all that can be read in the end, by memories opened anew."""
    scope = f"ana/{next(_scopes)}"
    clocks = [Ticking(), Ticking()]
    with file.memory(clocks[0], scope) as here, place.memory(clocks[1], scope) as there:
        for what in steps:
            assert step(here, what) == step(there, what), what
        assert hits(here) == hits(there)
    with file.memory(clocks[0], scope) as here, place.memory(clocks[1], scope) as there:
        assert told(here) == told(there) and hits(here) == hits(there)
        assert here.check().ok and there.check().ok


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=4, max_size=14))
def test_the_same_operations_leave_the_same_memory(place, tmp_path, steps):
    """Whatever is done in whichever order."""
    both(File(tmp_path / "m.mem", None), place, steps)


def test_the_same_question_has_the_same_scores(place, tmp_path):
    """The real embedder, some hundreds of turns, records and states among them."""
    turns = [
        Turn(f"On day {n} Ana and Tom {verb} the {thing}.", speaker="Ana", session=f"s{n % 9}", at=NOW + n)
        for n, (verb, thing) in enumerate(
            (verb, thing)
            for verb in ("painted", "sold", "mended", "lost", "found", "drew")
            for thing in ("barn", "boat", "kettle", "clock", "map", "bees", "safe", "song", "bridge", "lamp")
        )
    ]
    found = []
    for where in (tmp_path / "m.mem", place.place):
        with Memory(where, scope="ana", clock=lambda: NOW + 1000, durability="process") as memory:
            ids = memory.remember(turns).ids
            memory.correct(ids[5], "Ana never found the bees.")
            memory.reflect()
            found.append((hits(memory), told(memory)))
    assert found[0][0] == found[1][0] and found[0][1]["records"] == found[1][1]["records"]
    assert any(one for _, one in found[0][0])


def test_vectors_come_back_bit_for_bit(place):
    """Every float16 there is but those no embedder gives: subnormal, largest, minus zero."""
    import numpy as np
    from tests.conformance.stores import turn

    from memspan.core.changes import Change
    from memspan.text.store.rows import Derived

    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)]
    store = place.open()
    key = store.embedder_key(Hashing(16), make=True)
    for n, part in enumerate(np.array_split(every, 8)):
        derived = Derived(b"", None, 0, 1, (part.tobytes(),))
        store.apply("ana", [Change("add", turn(str(n)))], [derived], [key], NOW, verb="remember")
    got = b"".join(half for _, half in store.halves("ana", key, 0, 2**62))
    assert got == every.tobytes()
    store.close()
