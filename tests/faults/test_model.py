"""Memory behaves like a dict: Hypothesis plays calls against both and compares all that can be seen."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from tests.faults.workload import memory

from memspan import Turn
from memspan.core.errors import DuplicateId, UnknownId

COMMON = ["yes", "no", "The bike is red.", "Always greet me.", "Lisbon (Portugal) is warm.", "我爱猫"]
STORABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.sampled_from(COMMON) | st.text(STORABLE, min_size=1, max_size=60).filter(str.strip)
SESSIONS = st.sampled_from(["", "s1", "s2"])
SPEAKERS = st.sampled_from(["", "Ann", "Ben Lee"])
MOMENTS = st.sampled_from([0.0, 1.7e9, -5.5e9]) | st.integers(-6 * 10**10, 25 * 10**10).map(lambda half: half / 2)
TIMES = st.none() | MOMENTS  # halves: what an export writes exactly
SCOPES = st.sampled_from(["alice", "bob"])
TURNS = st.builds(
    Turn,
    TEXTS,
    speaker=SPEAKERS,
    role=st.sampled_from(["user", "assistant"]),
    session=SESSIONS,
    at=TIMES,
    meta=st.just({}) | st.dictionaries(st.sampled_from(["a", "b"]), st.integers(), max_size=2),
)
FIELDS = ("text", "speaker", "role", "session", "at", "meta")


def looks(turn):
    return tuple(dict(value) if name == "meta" else value for name in FIELDS for value in [getattr(turn, name)])


def key(turn, nth):
    """What makes a turn that turn; role and meta of the first one stay."""
    return turn.session, turn.speaker, turn.at, turn.text, nth


class Model(RuleBasedStateMachine):
    """Two scopes on one file, and a dict for each: id -> fields, in order of writing."""

    ids = Bundle("ids")

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.held = {scope: {} for scope in ("alice", "bob")}
        self.known = {scope: {} for scope in ("alice", "bob")}
        self.files = 0
        self.open()

    def open(self):
        path = self.folder / f"{self.files}.mem"
        self.memories = {scope: memory(path, scope=scope, clock=lambda: 1.75e9) for scope in self.held}

    def teardown(self):
        if hasattr(self, "folder"):
            for each in self.memories.values():
                each.close()
            shutil.rmtree(self.folder)

    def expect(self, scope, turns, ids):
        """Put what was remembered into the dicts; how many were new."""
        new, seen = 0, {}
        for turn, wanted in zip(turns, ids, strict=True):
            nth = seen[key(turn, 0)] = seen.get(key(turn, 0), -1) + 1
            mine = turn.id or self.known[scope].setdefault(key(turn, nth), wanted)
            assert wanted == mine
            if wanted not in self.held[scope]:
                self.held[scope][wanted] = looks(turn)
                new += 1
        return new

    @rule(target=ids, scope=SCOPES, turns=st.lists(TURNS, max_size=5))
    def remember(self, scope, turns):
        done = self.memories[scope].remember(turns)
        new = self.expect(scope, turns, done.ids)
        assert (done.added, done.known) == (new, len(turns) - new)
        return multiple(*((scope, wanted) for wanted in done.ids))

    @rule(target=ids, scope=SCOPES, text=TEXTS, speaker=SPEAKERS, session=SESSIONS, at=TIMES)
    def remember_text(self, scope, text, speaker, session, at):
        done = self.memories[scope].remember(text, speaker=speaker, session=session, at=at)
        turn = Turn(text, speaker=speaker, session=session, at=1.75e9 if at is None else at)
        assert done.added == self.expect(scope, [turn], done.ids)
        return scope, done.ids[0]

    @rule(known=ids)
    def remember_again(self, known):
        scope, wanted = known
        turn = self.memories[scope].get(wanted)
        assert self.memories[scope].remember(turn).known == 1

    @rule(known=ids, text=TEXTS)
    def take_an_id_that_is_taken(self, known, text):
        scope, wanted = known
        if self.held[scope][wanted][0] == text:
            return
        with pytest.raises(DuplicateId):
            self.memories[scope].remember([Turn("before it"), Turn(text, id=wanted)])

    @rule(known=ids)
    def get(self, known):
        scope, wanted = known
        assert looks(self.memories[scope].get(wanted)) == self.held[scope][wanted]
        other = "bob" if scope == "alice" else "alice"
        if wanted not in self.held[other]:
            with pytest.raises(UnknownId):
                self.memories[other].get(wanted)

    @rule(scope=SCOPES, question=TEXTS, tokens=st.none() | st.integers(0, 200), limit=st.none() | st.integers(0, 8))
    def recall(self, scope, question, tokens, limit):
        found = self.memories[scope].recall(question, tokens=tokens, limit=limit)
        for hit in (*found.hits, *found.standing):
            assert looks(hit) == self.held[scope][hit.id]
            assert set(hit.sources) <= set(self.held[scope])
        assert [hit.rank for hit in found.hits] == sorted(hit.rank for hit in found.hits)
        assert len({hit.id for hit in found.hits}) == len(found.hits)
        assert tokens is None or found.cost.tokens <= tokens
        assert limit is None or len(found.hits) <= limit
        if tokens is None and limit is None:
            shown = {hit.id for hit in (*found.hits, *found.standing)}
            assert len(shown) >= min(10, len(self.held[scope]))

    @rule(known=ids)
    def recall_finds_the_words_themselves(self, known):
        scope, wanted = known
        found = self.memories[scope].recall(self.held[scope][wanted][0], tokens=None, limit=len(self.held[scope]) + 1)
        assert wanted in {hit.id for hit in (*found.hits, *found.standing)}

    @rule()
    def reopen(self):
        for each in self.memories.values():
            each.close()
        self.open()

    @rule(scope=SCOPES)
    def rebuild(self, scope):
        assert self.memories[scope].rebuild() == len(self.held[scope])

    @rule()
    def export_and_import(self):
        lines = {}
        for scope, each in self.memories.items():
            out = self.folder / "export.jsonl"
            assert each.export(out) == len(self.held[scope])
            lines[scope] = [json.loads(line) for line in out.read_text(encoding="utf-8").split("\n") if line]
            each.close()
        self.files += 1
        self.open()
        for scope, each in self.memories.items():
            done = each.remember(Turn(**line) for line in lines[scope])
            assert done.added == len(self.held[scope])

    @invariant()
    def all_is_there(self):
        if not hasattr(self, "folder"):
            return
        for scope, each in self.memories.items():
            found = {turn.id: looks(turn) for turn in each.turns()}
            assert found == self.held[scope]
            assert list(found) == list(self.held[scope])
            names = list(dict.fromkeys(fields[3] for fields in found.values()))
            assert each.sessions() == names
            stats = each.stats()
            assert (stats.turns, stats.sessions, dict(stats.without_vector)) == (len(found), len(names), {})
            assert [turn.id for turn in each.turns(session="s1")] == [
                wanted for wanted, fields in found.items() if fields[3] == "s1"
            ]


def test_nobody_takes_no_place(tmp_path):
    """Two turns, ten places: both are there."""
    with memory(tmp_path / "a.mem", clock=lambda: 1.75e9) as here:
        here.remember("yes")
        here.remember("no")
        assert len(here.recall("Always greet me.", tokens=None)) == 2


QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def test_memory_behaves_like_a_dict():
    """Remember, again, get, recall, reopen, rebuild, export and import, in any order."""
    run_state_machine_as_test(
        Model,
        settings=settings(max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=QUIET),
    )


@pytest.mark.slow
def test_memory_behaves_like_a_dict_for_long():
    """The long form."""
    run_state_machine_as_test(
        Model,
        settings=settings(max_examples=600, stateful_step_count=60, deadline=None, suppress_health_check=QUIET),
    )
