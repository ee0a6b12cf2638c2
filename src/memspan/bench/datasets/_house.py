"""A house of rooms with doors, keys and things, and an agent in it: what it did, step by step, and what then held."""

from collections import deque
from dataclasses import dataclass, field
from random import Random

from memspan.core.tokens import estimate

ROOMS = ("kitchen", "hall", "cellar", "attic", "study", "pantry", "garden", "workshop")
THINGS = ("lamp", "vase", "rope", "clock", "basket", "hammer")
COLOURS = ("red", "blue", "green", "brass", "white", "black", "ivory", "copper", "silver", "amber")
LOCKED = 3
"""How many doors have a lock and are locked at first; their keys lie about like any thing."""
MOST_CARRIED = 3
AT_RANDOM = 0.35
"""How often the agent does something for no reason."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. number: from 1;  verb, thing: what was done to what;  worked: whether it did something

    room: where the agent is then;  held: what it carries then
    """

    number: int
    action: str
    seen: str
    verb: str
    thing: str
    worked: bool
    room: str
    held: tuple[str, ...]

    @property
    def text(self) -> str:
        """The line of the log."""
        return f"step {self.number}: {self.action} -> {self.seen}"


@dataclass(slots=True)
class House:
    """What holds now.

    doors: door -> the two rooms it joins;  opened, unlocked: doors;  places: thing -> room;  held: what is carried
    """

    doors: dict[str, tuple[str, str]]
    places: dict[str, str]
    locks: frozenset[str]
    room: str = ROOMS[0]
    held: list[str] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)
    unlocked: set[str] = field(default_factory=set)

    def here(self) -> list[str]:
        """Things that lie in this room."""
        return [thing for thing, room in self.places.items() if room == self.room]

    def around(self) -> list[str]:
        """Doors of this room."""
        return [door for door, rooms in self.doors.items() if self.room in rooms]

    def is_locked(self, door: str) -> bool:
        """Whether its lock is closed."""
        return door in self.locks and door not in self.unlocked

    def beyond(self, door: str, room: str) -> str:
        """The room on the other side of a door."""
        first, second = self.doors[door]
        return second if room == first else first

    def do(self, verb: str, thing: str) -> tuple[bool, str]:
        """Does it, if it can be done: whether it worked, and what is seen."""
        seen = {"go": self._go, "open": self._open, "close": self._close, "take": self._take, "drop": self._drop}
        return (seen | {"unlock": self._unlock, "lock": self._lock, "look": self._look, "check": self._check})[verb](
            thing
        )

    def _go(self, door: str) -> tuple[bool, str]:
        if door not in self.opened:
            return False, "It is closed."
        self.room = self.beyond(door, self.room)
        return True, f"You are in the {self.room}. {self._sight()}"

    def _sight(self) -> str:
        return f"You see: {', '.join(self.here())}." if self.here() else "Nothing lies here."

    def _look(self, thing: str) -> tuple[bool, str]:
        return True, f"{self._sight()} Doors: {', '.join(self.around())}."

    def _check(self, thing: str) -> tuple[bool, str]:
        return True, f"You carry: {', '.join(sorted(self.held)) or 'nothing'}."

    def _open(self, door: str) -> tuple[bool, str]:
        if self.is_locked(door):
            return False, "Locked."
        if door in self.opened:
            return False, "Nothing happens."
        self.opened.add(door)
        return True, "It opens."

    def _close(self, door: str) -> tuple[bool, str]:
        if door not in self.opened:
            return False, "Nothing happens."
        self.opened.discard(door)
        return True, "It closes."

    def _unlock(self, door: str) -> tuple[bool, str]:
        if not self.is_locked(door):
            return False, "Nothing happens."
        self.unlocked.add(door)
        return True, "It clicks."

    def _lock(self, door: str) -> tuple[bool, str]:
        if self.is_locked(door) or door in self.opened:
            return False, "Nothing happens."
        self.unlocked.discard(door)
        return True, "It clicks shut."

    def _take(self, thing: str) -> tuple[bool, str]:
        if len(self.held) == MOST_CARRIED:
            return False, "Your hands are full."
        del self.places[thing]
        self.held.append(thing)
        return True, f"You carry the {thing} now."

    def _drop(self, thing: str) -> tuple[bool, str]:
        self.held.remove(thing)
        self.places[thing] = self.room
        return True, f"You put it down in the {self.room}."


def key_of(door: str) -> str:
    """The thing that fits its lock.

    >>> key_of("red door")
    'red key'
    """
    return door.replace("door", "key")


def built(draw: Random) -> House:
    """A house: a tree of rooms and two doors more, so that some ways are round."""
    pairs = [(room, draw.choice(ROOMS[:place])) for place, room in enumerate(ROOMS) if place]
    spare = [(a, b) for a in ROOMS for b in ROOMS if a < b and (a, b) not in pairs and (b, a) not in pairs]
    pairs += draw.sample(spare, 2)
    doors = {f"{colour} door": pair for colour, pair in zip(draw.sample(COLOURS, len(pairs)), pairs, strict=False)}
    locks = frozenset(draw.sample(sorted(doors), LOCKED))
    house = House(doors, {}, locks)
    near = _reached(house)
    house.places = {thing: draw.choice(ROOMS) for thing in THINGS} | {
        key_of(door): draw.choice(near) for door in sorted(locks)
    }
    return house


def _reached(house: House) -> list[str]:
    """Rooms that can be reached without a key."""
    return [room for room in ROOMS if room == house.room or _way(house, room) is not None]


def _way(house: House, goal: str) -> str | None:
    """The first door on a shortest way to a room, through doors that can be opened; None where there is no way."""
    first: dict[str, str] = {house.room: ""}
    rooms = deque([house.room])
    while rooms:
        room = rooms.popleft()
        for door, ends in house.doors.items():
            if room not in ends or (house.is_locked(door) and key_of(door) not in house.held):
                continue
            after = house.beyond(door, room)
            if after not in first:
                first[after] = first[room] or door
                rooms.append(after)
    return first.get(goal) or None


def trajectory(tokens: int, draw: Random) -> list[Step]:
    """What an agent does until its log has so many tokens: it brings things to rooms, and fetches the keys it needs."""
    house, steps, size = built(draw), list[Step](), 0
    keys = [key_of(door) for door in sorted(house.locks)]
    thing = room = ""
    while size < tokens:
        if not thing or house.places.get(thing) == room:
            thing, room = draw.choice([*THINGS, *keys, *keys]), draw.choice(ROOMS)
        wanted = _towards(house, thing, room)
        if wanted is None:  # no way without a key: carry one about
            thing, room = draw.choice(keys), draw.choice(ROOMS)
        verb, what = wanted if wanted and draw.random() >= AT_RANDOM else _anything(house, draw)
        worked, seen = house.do(verb, what)
        step = Step(len(steps) + 1, _put(verb, what), seen, verb, what, worked, house.room, tuple(house.held))
        steps.append(step)
        size += estimate(step.text)
    return steps


def _put(verb: str, thing: str) -> str:
    """An action in words."""
    if verb in ("unlock", "lock"):
        return f"{verb} the {thing} with the {key_of(thing)}"
    return {"look": "look around", "check": "check what I carry", "go": f"go through the {thing}"}.get(
        verb, f"{verb} the {thing}"
    )


def _towards(house: House, thing: str, room: str) -> tuple[str, str] | None:
    """The next action to bring a thing to a room; None where there is no way."""
    goal = room if thing in house.held else house.places[thing]
    if house.room == goal:
        if thing in house.held:
            return "drop", thing
        return ("drop", house.held[0]) if len(house.held) == MOST_CARRIED else ("take", thing)
    door = _way(house, goal)
    if door is None:
        return None
    if house.is_locked(door):
        return "unlock", door
    return ("go" if door in house.opened else "open"), door


def _anything(house: House, draw: Random) -> tuple[str, str]:
    """Something that could be tried here."""
    doors = house.around()
    tries = [("look", ""), ("check", "")]
    tries += [(verb, door) for door in doors for verb in ("open", "close", "go")]
    tries += [(verb, door) for door in doors if key_of(door) in house.held for verb in ("close", "lock", "unlock")] * 3
    tries += [("take", thing) for thing in house.here()] + [("drop", thing) for thing in house.held]
    return draw.choice(tries)
