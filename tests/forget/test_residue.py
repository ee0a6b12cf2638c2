"""T6: after forgetting, no byte of it is in the file, its log, or anything beside them."""

import random

import pytest
from tests.forget.canaries import (
    FOREIGN,
    Dense,
    Planted,
    Words,
    found,
    free_bytes,
    missing,
    of_digits,
    of_half,
    of_time,
    of_word,
)

from memspan import Change, Link, Memory, Patch, Record, Turn

WAYS = ["id", "session", "speaker", "time", "query", "source", "everything"]
NOON = 1.7e9


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The temporary directory of everything lies inside, so that it is searched as well."""
    (tmp_path / "temp").mkdir()
    for name in ("TMPDIR", "SQLITE_TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / "temp"))
    return tmp_path


def opened(folder, scope="alice"):
    return Memory(folder / "m.mem", scope=scope, embedders=[Dense()])


def filler(number, chance):
    text = f"Nothing much happened on day {number}, " + "and so it went on. " * chance.choice([1, 2, 9])
    return Turn(text, speaker="Eve", session=f"plain {number // 9}", at=NOON - 86400 * number)


class Group:
    """Canaries in every place, all to be forgotten in one way."""

    def __init__(self, way, number, new):
        self.way, self.new, self.planted = way, new, Planted()
        self.begin = NOON + 1e6 * number
        self.session, self.speaker = self.word("session"), self.word("speaker")
        self.source, self.topic = self.word("source"), self.word("topic")
        self.ids = [self.word(f"id {number}") for number in range(4)]
        self.texts = [self.text(number) for number in range(8)]

    def word(self, what, letters=None):
        made = self.new(letters) if letters else self.new()
        self.planted.add(f"{self.way}: {what}", of_word(made))
        return made

    def text(self, number):
        digits = str(random.Random(self.begin + number).randrange(10**13, 10**14))
        self.planted.add(f"{self.way}: digits {number}", of_digits(digits))
        name = self.word(f"name {number}").capitalize()
        return f"On 3 May 2024 {name} told {self.topic} of {self.word(f'text {number}')} and {digits} at noon."

    def turn(self, number, text, id=""):
        at = self.begin + 1000.0 * number + 0.123456789
        self.planted.add(f"{self.way}: time {number}", of_time(at))
        meta = {"source": self.source, self.word(f"meta key {number}"): [self.word(f"meta value {number}")]}
        return Turn(text, speaker=self.speaker, session=self.session, at=at, meta=meta, id=id)

    def turns(self):
        plain = [
            self.turn(n, text, id=wanted) for n, (text, wanted) in enumerate(zip(self.texts[:4], self.ids, strict=True))
        ]
        long = " ".join([f"{self.topic} {self.word('repeated')}"] * 300)
        foreign = self.word("foreign", FOREIGN)
        others = [*self.texts[4:], long, f"{self.topic} and {foreign} are here", f"{self.topic} will be corrected"]
        return plain + [self.turn(n, text) for n, text in enumerate(others, start=4)]

    def change(self, memory, ids):
        """What happens to them later: corrections, states, records, links."""
        right = memory.correct(ids[-1], f"{self.topic} is {self.word('corrected')}", reason=self.word("reason"))
        memory.hold(ids[0], reason=self.word("reason of a hold"))
        memory.release(ids[0], reason=self.word("reason of a release"))
        memory.archive(ids[1], reason=self.word("reason of archiving"))
        record = Record(
            id=self.word("record id"),
            kind="fact",
            text=f"The {self.word('record')} is so",
            keys=(self.word("record key"),),
            entities=(self.word("entity"),),
            payload={self.word("payload key"): self.word("payload")},
            sources=(right, ids[2]),
            recipe=self.word("recipe"),
        )
        memory.apply([Change("add", record)])
        memory.apply([Change("set", Patch(id=record.id, status="archived", why=self.word("reason of a patch")))])
        memory.apply([Change("add", Link(source=record.id, target=ids[3], kind=self.word("kind of link")))])
        return [*ids, right]

    def forget(self, memory, ids):
        if self.way == "id":
            return memory.forget(ids)
        if self.way == "query":
            planned = memory.forget(query=self.topic, dry_run=True)
            return memory.forget(query=self.topic, confirm=planned.digest)
        if self.way == "time":
            return memory.forget(since=self.begin, until=self.begin + 1e6)
        if self.way == "everything":
            return memory.forget(everything=True)
        return memory.forget(**{self.way: getattr(self, self.way)})


def plant(folder, seed, fillers=90):
    """A memory with a group for every way, between turns of two scopes; reflected upon. (memory, groups, ids)"""
    new, chance = Words(seed).new, random.Random(seed)
    memory, other = opened(folder), opened(folder, "bob")
    groups = [Group(way, number, new) for number, way in enumerate(WAYS)]
    waiting = [(group, turn) for group in groups for turn in group.turns()]
    chance.shuffle(waiting)
    ids = {group.way: {} for group in groups}
    for number in range(fillers):
        chance.choice([memory, other]).remember([filler(number * 3 + part, chance) for part in range(3)])
        for group, turn in waiting[number::fillers]:
            ids[group.way][turn.text] = memory.remember(turn).ids[0]
    order = {group.way: list(ids[group.way].values()) for group in groups}
    for group in groups:
        begun = sorted(order[group.way], key=lambda wanted: memory.get(wanted).at)
        order[group.way] = group.change(memory, begun)
    memory.reflect()
    for group in groups:
        for number, half in enumerate(halves(memory, order[group.way])):
            group.planted.add(f"{group.way}: vector {number}", of_half(half))
    other.close()
    return memory, groups, order


def halves(memory, ids):
    query = "SELECT half FROM vector JOIN turn ON turn.seq = vector.turn WHERE turn.id = ?"
    with memory._store.snapshot() as connection:
        return [row[0] for wanted in ids for row in connection.execute(query, (wanted,))]


def test_nothing_is_left_of_what_was_forgotten_in_any_way(folder):
    """Seven ways to say what goes; after each, its canaries are in no file, open or closed, and others still are."""
    memory, groups, ids = plant(folder, seed=11)
    assert sum(len(group.planted.needles) for group in groups) >= 7 * 60
    for place, group in enumerate(groups):
        assert missing(folder, group.planted) == []
        receipt = group.forget(memory, ids[group.way])
        assert receipt.status == "erased"
        assert found(folder, group.planted) == []
        if place % 2:
            memory.close()
            assert found(folder, group.planted) == []
            memory = opened(folder)
        for other in groups[place + 1 :]:
            assert missing(folder, other.planted) == []
    assert memory.check().ok
    memory.close()
    assert list(free_bytes((folder / "m.mem").read_bytes())) == []
