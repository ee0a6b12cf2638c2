"""Mixed requests by the hundred thousand: nothing acknowledged is lost, nothing forgotten stays, memory stays flat.

Eight clients share one scope. Each tells turns with a made-up word that occurs nowhere else, corrects some, forgets
them a few at a time, and reads in all ways meanwhile, so that after a warm-up as much goes as comes.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import mean
from time import monotonic, time
from typing import Any

from memspan.bench.doors.ledger import Item, Ledger
from memspan.bench.doors.processes import Server
from memspan.bench.doors.wire import Connection, Reply, drive, request
from memspan.core.clock import iso
from memspan.core.errors import PeerFailed

CLIENTS = 8
LIVING = 20
GONE_AT_ONCE = 8
SAMPLES = 200
PAGE = 500
WARM_UP = 0.2
MIX = {
    "recall": 44, "remember": 14, "correct": 3, "item": 10, "turns": 7, "changes": 6, "history": 5, "pin": 8,
    "due": 1, "stats": 2,
}  # fmt: skip
_WORD = re.compile(rb"zq\d+v\d+zq")
Result = dict[str, Any]  # Any: what json.dumps takes
Then = Callable[[Reply], None]


@dataclass(slots=True)
class Run:
    """What the clients of a soak have in common.

    total: requests to be done;  texts, questions: to tell and to ask;  heard: called after each reply
    leaks, misses: recalls that held a forgotten word, or not the turn whose own word was asked for
    """

    ledger: Ledger
    scope: str
    total: int
    texts: Sequence[str]
    questions: Sequence[str]
    heard: Callable[[], None]
    sent: int = 0
    leaks: int = 0
    misses: int = 0
    failures: list[str] = field(default_factory=list)


class Client:
    """A script that goes by its dice."""

    def __init__(self, run: Run, place: int) -> None:
        self._run, self._place, self._ledger = run, place, run.ledger
        self._dice = random.Random(f"{place} {run.ledger.done}")  # noqa: S311  it keeps no secret
        living = self._ledger.living.keys() - self._ledger.unsure
        self._mine = sorted(number for number in living if number % CLIENTS == place)
        self._then: Then = _nothing

    def ask(self) -> bytes | None:
        """The next request."""
        if self._run.sent >= self._run.total:
            return None
        self._run.sent += 1
        self._then = _nothing
        if len(self._mine) > LIVING:
            return self._forget()
        what = self._dice.choices(list(MIX), list(MIX.values()))[0] if len(self._mine) > GONE_AT_ONCE else "remember"
        asked: bytes = getattr(self, f"_{what}")()
        return asked

    def hear(self, reply: Reply) -> None:
        """Takes note of it."""
        if reply.status in (200, 201):
            self._then(reply)
        else:
            self._run.failures.append(f"{reply.status} {reply.body[:120]!r}")
        self._run.heard()

    # -- writing

    def _remember(self) -> bytes:
        number = (self._ledger.highest // CLIENTS + 1) * CLIENTS + self._place
        word, text = f"zq{number}v0zq", self._dice.choice(self._run.texts)
        self._ledger.note("send", number)

        def then(reply: Reply) -> None:
            (id,) = reply.json()["ids"]
            self._ledger.note("told", number, id, word)
            self._mine.append(number)

        self._then = then
        told = {"text": f"{word} {text}", "speaker": f"Client {self._place}", "session": f"soak {number // 200}"}
        return self._request("POST", "remember", told)

    def _correct(self) -> bytes:
        number, item = self._taken()
        word = f"zq{number}v{len(item.words)}zq"
        self._ledger.note("send", number)

        def then(reply: Reply) -> None:
            self._ledger.note("told", number, reply.json()["id"], word)
            self._mine.append(number)

        self._then = then
        told = {"text": f"{word} {self._dice.choice(self._run.texts)}", "reason": "soak"}
        return self._request("POST", f"items/{item.ids[-1]}/correct", told)

    def _forget(self) -> bytes:
        """By the id of the last version: the others have to go with it."""
        taken = [self._taken() for _ in range(GONE_AT_ONCE)]
        numbers = [number for number, _ in taken]
        self._ledger.note("send", *numbers)
        self._then = lambda reply: self._ledger.note("gone", *numbers)
        return self._request("POST", "forget", {"ids": [item.ids[-1] for _, item in taken]})

    def _taken(self) -> tuple[int, Item]:
        """One of this client's items; who takes it gives it back when the write is answered."""
        number = self._mine.pop(self._dice.randrange(len(self._mine)))
        return number, self._ledger.living[number]

    def _pin(self) -> bytes:
        return self._request("POST", f"items/{self._id()}/{self._dice.choice(('pin', 'unpin'))}", {})

    # -- reading

    def _recall(self) -> bytes:
        """After something said long ago, after an item's own word, or after a word that was forgotten."""
        before = len(self._ledger.gone)
        word, wanted = "", b""
        match self._dice.randrange(4):
            case 0:
                item = self._ledger.living[self._dice.choice(self._mine)]
                word, wanted = item.words[-1], item.ids[-1].encode()
            case 1 if self._ledger.gone:
                word = next(reversed(self._ledger.gone))
        self._then = lambda reply: self._look(reply.body, before, word.encode(), wanted)
        asked = f"What was said of {word}?" if word else self._dice.choice(self._run.questions)
        return self._request("POST", "recall", {"question": asked, "tokens": 1000})

    def _look(self, body: bytes, before: int, asked: bytes, wanted: bytes) -> None:
        found = _WORD.findall(body)
        if asked in found:
            found.remove(asked)  # the question comes back with the answer
        self._run.leaks += any(self._ledger.gone.get(word.decode(), before) < before for word in found)
        self._run.misses += wanted not in body

    def _id(self) -> str:
        return self._ledger.living[self._dice.choice(self._mine)].ids[-1]

    def _item(self) -> bytes:
        return self._request("GET", f"items/{self._id()}")

    def _history(self) -> bytes:
        return self._request("GET", f"items/{self._id()}/history")

    def _turns(self) -> bytes:
        return self._request("GET", "turns", limit=20, newest="true")

    def _changes(self) -> bytes:
        return self._request("GET", "changes", since=iso(time() - 1), limit=20)

    def _due(self) -> bytes:
        return self._request("GET", "due")

    def _stats(self) -> bytes:
        return self._request("GET", "stats")

    def _request(self, method: str, path: str, body: Result | None = None, **query: object) -> bytes:
        return request(method, f"/v1/{path}", self._run.scope, body, **query)


def _nothing(_reply: Reply) -> None:
    """A read whose status says enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """How to soak. total: requests;  ledger: the file of its notes;  texts, questions: to tell and to ask"""

    scope: str
    total: int
    ledger: Path
    texts: Sequence[str]
    questions: Sequence[str]


def soak(plan: Soak, server: Server, port: int, say: Callable[[str], None]) -> Result:
    """Do what is left of it, then compare what is there with the notes.

    Raises PeerFailed where the server ends.
    """
    ledger = Ledger(plan.ledger)
    began, before = monotonic(), (ledger.failed, ledger.seconds)
    done = first = ledger.done
    every = max(10, plan.total // SAMPLES)

    def heard() -> None:
        nonlocal done
        if server.process.poll() is not None:
            raise server.failed("ended in the middle of the soak")
        done += 1
        if done % every == 0 or done == plan.total:
            took, rss = monotonic() - began, server.rss()
            ledger.note("at", done, before[0] + len(run.failures), round(before[1] + took, 2), rss)
            rate = (done - first) / took
            say(f"soak: {done:,} of {plan.total:,} requests, {rate:,.0f}/s, server {rss / 1e6:,.0f} MB")

    run = Run(ledger, plan.scope, max(0, plan.total - first), plan.texts, plan.questions, heard)
    try:
        drive(port, [Client(run, place) for place in range(CLIENTS)])
        return {
            "requests": ledger.done,
            "seconds": ledger.seconds,
            "requests_per_s": round(ledger.done / ledger.seconds, 1) if ledger.seconds else None,
            "servers": sum(bool(one) for one in ledger.rss),
            "refused_or_broken": ledger.failed,
            "examples": sorted(set(run.failures))[:3],
            "recalls_with_forgotten_words": run.leaks,
            "recalls_without_the_turn_asked_for": run.misses,
            **growth(max(ledger.rss, key=len)),
            **_compared(ledger, list(_turns(port, plan.scope))),
        }
    finally:
        ledger.close()


def growth(rss: Sequence[tuple[int, int]]) -> Result:
    """What the server held after the warm-up and in the end [MB], and by how much it grew.

    rss: (requests done, bytes) in order; the first fifth is the warm-up, of the rest quarters are compared

    >>> growth([(n, 100_000_000 + 1_000_000 * (n >= 80)) for n in range(0, 100, 5)])["rss_growth"]
    0.01
    """
    warm = [held for _, held in rss[int(len(rss) * WARM_UP) :]]
    quarter = len(warm) // 4
    if not quarter:
        return {"rss_mb_warm": None, "rss_mb_end": None, "rss_growth": None}
    early, late = mean(warm[:quarter]), mean(warm[-quarter:])
    grown = round(late / early - 1, 4) if early else None
    return {"rss_mb_warm": round(early / 1e6, 1), "rss_mb_end": round(late / 1e6, 1), "rss_growth": grown}


def _turns(port: int, scope: str) -> Iterator[tuple[str, str]]:
    """(id, session) of all turns of the scope, page by page. Raises PeerFailed where a page does not come."""
    connection, after = Connection(port), ""
    while True:
        more: Result = {"after": after} if after else {}
        reply = connection.call(request("GET", "/v1/turns", scope, None, limit=PAGE, **more))
        if reply.status != 200:
            raise PeerFailed("memspan serve", f"answered GET /v1/turns with {reply.status}: {reply.body[:200]!r}")
        page = reply.json()
        yield from ((turn["id"], turn["session"]) for turn in page["turns"])
        after = page["next"]
        if not after:
            connection.close()
            return


def _compared(ledger: Ledger, found: Sequence[tuple[str, str]]) -> Result:
    """What is there against what was noted. Of what was never answered nothing is known, so it is left out."""
    here = {id for id, _ in found}
    expected = {id for number, item in ledger.living.items() if number not in ledger.unsure for id in item.ids}
    known = {id for item in ledger.living.values() for id in item.ids}
    strange = [id for id, session in found if session.startswith("soak ") and id not in known]
    return {
        "turns_before": sum(not session.startswith("soak ") for _, session in found),
        "acknowledged_living": len(expected),
        "acknowledged_lost": len(expected - here),
        "forgotten": len(ledger.gone_ids),
        "forgotten_still_there": len(ledger.gone_ids & here),
        "never_answered": len(ledger.unsure),
        "there_but_never_acknowledged": len(strange),
    }


def residue(ledger: Path, place: Path) -> int:
    """How many forgotten words stand in the bytes of a memory file or its log, once the server has stopped."""
    known = Ledger(ledger)
    known.close()
    files = [file for file in islice(place.parent.glob(f"{place.name}*"), 10) if file != ledger]
    seen = {word.decode() for file in files for word in _WORD.findall(file.read_bytes())}
    unsure = {word for number in known.unsure if number in known.living for word in known.living[number].words}
    return len(seen & (known.gone.keys() - unsure))
