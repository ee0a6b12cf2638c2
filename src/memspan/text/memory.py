"""Memory: opens the parts, applies changes, keeps budgets. What an agent remembers across sessions."""

import os
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from time import perf_counter
from types import TracebackType

from memspan.core.budget import Budget, Cost
from memspan.core.changes import Change, State
from memspan.core.clock import Clock, When, now, seconds
from memspan.core.errors import BadText, UsageError
from memspan.core.ids import check_scope
from memspan.core.places import Place
from memspan.core.protocols import Embedder, Progress
from memspan.core.records import QUALITIES, Json, Link, Quality, Recall, Record, Remembered, Role, Turn
from memspan.core.registry import load
from memspan.core.tokens import CountTokens, estimate
from memspan.text.brief import Brief, brief
from memspan.text.index.entry import derive
from memspan.text.index.fates import Moment
from memspan.text.index.scope import ScopeIndex
from memspan.text.intake import Batch, Intake
from memspan.text.life import Life
from memspan.text.read.jsonl import as_line
from memspan.text.recall import setting as settings
from memspan.text.recall.answer import Answerer
from memspan.text.recall.beside import check_kinds
from memspan.text.safety.secrets import Policy, check_policy
from memspan.text.store import doctor, erase
from memspan.text.store.connection import Durability
from memspan.text.store.doctor import Health
from memspan.text.store.opening import open_store
from memspan.text.store.rows import Derived

_SETTING = "recall"
_SECRETS = "secrets"
_BATCH = 1000


class StaleVectors(UserWarning):
    """The file holds no vectors of the present embedder; recall goes by words until reembed() has run."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a memory holds.

    turns, sessions, records: in this scope;  bytes: of the whole file with its log [bytes]
    first_at, last_at: earliest and latest known time [s];  setting: of recall;  embedders: their fingerprints
    without_vector: turns still to be embedded, by embedder name
    """

    turns: int
    sessions: int
    records: int
    bytes: int
    first_at: float | None
    last_at: float | None
    setting: str
    embedders: tuple[str, ...]
    without_vector: Mapping[str, int]


class Memory(Life):
    """A memory on one file or server, seen through one scope.

    path: the file, made where it does not exist; or "postgresql://user@host/database" (extra [postgres])
    scope: whose memory, like 'alice' or 'acme/alice/assistant'; nothing of another scope is ever seen
    setting: "lite" (nothing but this package) or "full" (with MiniLM, extra [onnx]); None = what the file has
    embedders: your own instead of the setting's
    durability: "power" = on the medium when remember returns; "process" = a power cut may lose the last turns
    key: encrypts the file; the same key opens it again (docs/concepts.md says what must be installed)
    secrets: what happens to a turn that holds a key or password: "allow", "redact" it, or "quarantine" the turn (extra
        [secrets]); None = what was chosen for this scope, else allow
    read_only: never write;  clock: seconds since 1970;  count_tokens: an exact counter, where the model is known

    Safe to share between threads; many processes may open one file or server.
    Raises BadScope, NotAMemory, NewerFormat, DamagedFile, WrongKey, ReadOnlyStore, StoreBusy, MissingExtra or
    MissingModel.
    """

    def __init__(
        self,
        path: Place,
        *,
        scope: str,
        setting: str | None = None,
        embedders: Sequence[Embedder] | None = None,
        durability: Durability = "power",
        key: str | bytes | None = None,
        read_only: bool = False,
        clock: Clock = now,
        count_tokens: CountTokens = estimate,
        secrets: str | None = None,
    ) -> None:
        self.scope: str = check_scope(scope)
        self._clock, self._lock = clock, threading.RLock()
        if setting is not None and embedders is not None:
            raise UsageError("give setting or embedders, not both: a setting brings its own embedders")
        if setting is not None:
            settings.named(setting)
        self._store = open_store(path, durability=durability, read_only=read_only, key=key)
        try:
            self._set_up(setting, embedders, read_only, count_tokens)
            self._intake = Intake(self.scope, self._policy(secrets, read_only))
        except BaseException:
            self._store.close()
            raise

    def _set_up(
        self, setting: str | None, embedders: Sequence[Embedder] | None, read_only: bool, count_tokens: CountTokens
    ) -> None:
        if embedders is None:
            self.setting = settings.named(setting or self._store.setting(_SETTING) or "lite")
            embedders = [load("embed", name)() for name in self.setting.embedders]
            if not read_only and self._store.setting(_SETTING) != self.setting.name:
                self._store.set_setting(_SETTING, self.setting.name)
        else:
            self.setting = settings.of_embedders([embedder.name for embedder in embedders])
        self._embedders = tuple(embedders)
        keys = [self._store.embedder_key(embedder, make=not read_only) for embedder in embedders]
        self._keys = [-1 if key is None else key for key in keys]  # -1: the file knows none, and may not be written
        self._index = ScopeIndex(self._store, self.scope, list(zip(self._embedders, self._keys, strict=True)))
        self._count_tokens = count_tokens
        self._answerer = Answerer(self._index, self.setting, self._embedders, count_tokens)
        self._warn_of_stale_vectors()
        if not read_only:
            erase.finish_if_free(self._store, self.scope)

    def _policy(self, secrets: str | None, read_only: bool) -> Policy:
        """What happens to secrets in this scope; kept in the file."""
        policy = check_policy(secrets or self._store.setting(_SECRETS, self.scope) or "allow")
        if secrets is not None and not read_only:
            self._store.set_setting(_SECRETS, policy, self.scope)
        return policy

    def _warn_of_stale_vectors(self) -> None:
        for embedder, key in zip(self._embedders, self._keys, strict=True):
            if self._store.any_without(self.scope, key):
                warnings.warn(
                    f"{self._store.path} holds no vectors of {embedder.fingerprint}; recall goes by words until "
                    "reembed() (or `memspan reembed`) has run",
                    StaleVectors,
                    stacklevel=4,
                )

    def __enter__(self) -> "Memory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Memory({str(self._store.path)!r}, scope={self.scope!r}, setting={self.setting.name!r})"

    def close(self) -> None:
        """Let go of the file; closing twice is fine."""
        self._store.close()

    # -- writing

    def remember(
        self,
        what: str | Turn | Iterable[Turn],
        *,
        speaker: str = "",
        role: Role = "user",
        session: str = "",
        at: When | None = None,
        meta: Mapping[str, Json] | None = None,
        again: bool = False,
    ) -> Remembered:
        """Put turns on disk; when this returns they are there. One call is one transaction.

        what: a text (said now, unless `at` tells when), a Turn, or any number of Turns (a Turn without `at` has no
        known time)
        speaker, role, session, at, meta: of a text; a Turn brings its own
        again: learn it even where the same words were forgotten here; without it they are refused and named

        Remembering the same turn again (same scope, session, speaker, time, text) changes nothing, so a retry is
        safe. The second equal turn *within* one call is a turn of its own.
        Raises BadText, BadTime, DuplicateId, DiskFull, ReadOnlyStore, StoreBusy or StoreError; then nothing was stored.
        """
        began = perf_counter()
        moment = seconds(self._clock())
        if isinstance(what, str):
            when = moment if at is None else seconds(at)
            given = [Turn(what, speaker=speaker, role=role, session=session, at=when, meta=meta or {})]
        elif speaker or session or at is not None or meta or role != "user":
            raise UsageError("speaker, role, session, at and meta go with a text; a Turn brings its own")
        elif isinstance(what, Iterable):
            given = list(what)
        else:
            given = [what]
        with self._lock:
            return self._write(self._intake.take(given, moment), moment, began, again=again)

    def _write(self, batch: Batch, moment: float, began: float, *, again: bool) -> Remembered:
        turns = batch.turns
        known = self._store.known(self.scope, [turn.id for turn in turns])
        fresh = [turn for turn in turns if turn.id not in known]
        parts = iter(derive(fresh, self._embedders))
        changes = batch.changes(known)
        derived = [
            next(parts) if isinstance(turn := change.item, Turn) and turn.id not in known else None
            for change in changes
        ]
        applied = self._store.apply(self.scope, changes, derived, self._keys, moment, verb="remember", again=again)
        self._index.written()
        added = {wanted for _, wanted in applied.added}
        size = sum(len(turn.text.encode()) for turn in fresh if turn.id in added)
        return Remembered(
            ids=tuple(turn.id for turn in turns),
            added=len(added),
            known=len(turns) - len(added) - len(applied.refused),
            refused=applied.refused,
            quarantined=tuple(added.intersection(batch.quarantined)),
            redacted=tuple(added.intersection(batch.redacted)),
            cost=Cost(bytes=size, seconds=perf_counter() - began),
        )

    def apply(self, changes: Sequence[Change]) -> None:
        """Put records and links on disk in one transaction; turns go through remember.

        Raises UsageError, UnknownId where a record cites a turn that is not here, DuplicateId, or a StoreError.
        """
        if any(isinstance(change.item, Turn) for change in changes):
            raise UsageError("turns go through remember(), which indexes them")
        with self._lock:
            self._apply("apply", changes)

    # -- reading

    def recall(
        self,
        question: str,
        *,
        tokens: int | None = 1000,
        limit: int | None = None,
        as_of: When | None = None,
        known_at: When | None = None,
        history: bool = False,
        kinds: Sequence[str] | None = None,
        quality: Quality = "fast",
    ) -> Recall:
        """Evidence on a question, best first, cited, within a budget.

        tokens: the rendered context costs at most so many [tokens]; None = plain ranking, nothing skipped
        limit: at most so many hits; without tokens and limit, 10
        as_of: what had happened and held at that time;  known_at: what memory knew at that time; None = now
        history: rank what no longer holds as if it held; by default it steps back behind what replaced it
        kinds: exactly these, like ("turn",) or ("episode", "entity"); None = turns and the records that were given,
            not those that reflect() made
        quality: "fast" = milliseconds; "high" = the 100 best are read again with MiniLM (extra [onnx]), which puts more
            of the evidence first and takes some tenths of a second; the confidence stays that of the fast ranking
        Raises UsageError for a negative budget or a quality that there is not, BadText, BadTime, MissingExtra or
        MissingModel where quality="high" lacks MiniLM, or a StoreError.
        """
        began = perf_counter()
        if not isinstance(question, str):
            raise BadText("question", f"must be text, not {type(question).__name__}")
        if limit is not None and limit < 0:
            raise UsageError(f"limit={limit}: must be zero or more")
        if quality not in QUALITIES:
            raise UsageError(f"quality={quality!r}: there are {', '.join(QUALITIES)}")
        budget, most = Budget(tokens=tokens), 10 if tokens is None and limit is None else limit
        wanted = check_kinds(kinds)
        then, known = (None if when is None else seconds(when) for when in (as_of, known_at))
        moment = Moment(seconds(self._clock()), then, known)
        with self._lock:
            self._index.refresh()
            with self._store.reading(self.scope):
                answer = self._answerer.recall(
                    question, budget, most, moment, history=history, kinds=wanted, quality=quality
                )
            self._intake.recalled(answer.hits)
        return replace(answer, cost=replace(answer.cost, seconds=perf_counter() - began))

    def brief(self, *, tokens: int = 600, now: When | None = None) -> Brief:
        """What matters now, for the beginning of a session: rules, preferences, decisions, what is open, last sessions.

        tokens: the block costs at most so many [tokens];  now: the day it is made for, None = the clock's
        Read by rules from the turns themselves, so reflect() need not have run. The same memory gives the same bytes
        all day (UTC).
        Raises UsageError for a negative budget, BadTime, or a StoreError.
        """
        began = perf_counter()
        budget = Budget(tokens=tokens).tokens or 0
        moment = seconds(self._clock() if now is None else now)
        with self._lock:
            items, context = brief(self._store, self.scope, budget, moment, self._count_tokens, self.due)
        cost = Cost(tokens=self._count_tokens(context), seconds=perf_counter() - began)
        return Brief(items=items, context=context, asked=tokens, cost=cost)

    def get(self, id: str) -> Turn:
        """The turn with that id. Raises UnknownId where this scope has none."""
        return self._store.get(self.scope, id)

    def item(self, id: str) -> tuple[Turn | Record, State]:
        """The turn or record with that id, and what has become of it. Raises UnknownId."""
        return self._store.item(self.scope, id)

    def turns(
        self, *, session: str | None = None, after: str = "", limit: int | None = None, newest: bool = False
    ) -> Iterator[Turn]:
        """All turns of the scope, or of one session, in the order they were written.

        after: the id of a turn, to go on behind it;  limit: at most so many;  newest: the last written first
        Raises UnknownId where the scope has no turn of that id.
        """
        batch = _BATCH if limit is None else max(1, min(limit, _BATCH))
        return islice(self._store.turns(self.scope, session, after=after, newest=newest, batch=batch), limit)

    def records(self, kind: str | None = None) -> list[Record]:
        """All records of the scope, or those of a kind, in the order they were written."""
        return self._store.records(self.scope, kind)

    def links(self) -> list[Link]:
        """All links of the scope."""
        return self._store.links(self.scope)

    def sessions(self) -> list[str]:
        """Names of the sessions in the order they began."""
        return self._store.sessions(self.scope)

    def stats(self) -> Stats:
        """How much there is."""
        counts = self._store.counts(self.scope)
        missing = {
            embedder.name: counts.turns - counts.vectors.get(key, 0)
            for embedder, key in zip(self._embedders, self._keys, strict=True)
        }
        return Stats(
            turns=counts.turns,
            sessions=counts.sessions,
            records=counts.records,
            bytes=self._store.size(),
            first_at=counts.first_at,
            last_at=counts.last_at,
            setting=self.setting.name,
            embedders=tuple(embedder.fingerprint for embedder in self._embedders),
            without_vector={name: count for name, count in missing.items() if count},
        )

    def export(self, path: str | os.PathLike[str]) -> int:
        """Write all turns as JSON lines (the schema `remember` reads); how many. Raises UsageError for its own file."""
        own = self._store.path
        if isinstance(own, Path) and Path(path).exists() and os.path.samefile(path, own):
            raise UsageError(f"{path} is the memory itself; export into another file")
        count = 0
        with Path(path).open("w", encoding="utf-8") as file:
            for turn in self.turns():
                file.write(as_line(turn) + "\n")
                count += 1
        return count

    # -- care

    def check(self) -> Health:
        """Read every row of the whole file and its checksums; on a server those of this scope."""
        with self._lock:
            return doctor.check(self._store, self.scope)

    def rebuild(self, progress: Progress | None = None) -> int:
        """Make everything derived anew from the turns of this scope; how many turns."""
        done, after = 0, 0
        with self._lock:
            total = self._store.counts(self.scope).turns
            while turns := self._store.numbered(self.scope, after):
                entries = _numbered(turns, self._embedders)
                self._store.put_derived(self.scope, entries, self._keys, units=True)
                done, after = done + len(turns), turns[-1][0]
                if progress is not None:
                    progress(done, total)
            self._forget_index()
        return done

    def reembed(self, progress: Progress | None = None) -> int:
        """Embed the turns that the present embedders have not seen, drop other embedders' vectors; how many were made.

        Each batch is on disk at once: stopped in the middle, the next call goes on.
        """
        done = 0
        with self._lock:
            total = max(self.stats().without_vector.values(), default=0)
            for embedder, key in zip(self._embedders, self._keys, strict=True):
                while turns := self._store.without_vector(self.scope, key, _BATCH):
                    entries = _numbered(turns, [embedder])
                    self._store.put_derived(self.scope, entries, [key], units=False)
                    done += len(turns)
                    if progress is not None:
                        progress(done, total * len(self._embedders))
            self._store.drop_vectors(self.scope, self._keys)
            self._forget_index()
        return done

    def _forget_index(self) -> None:
        self._index = ScopeIndex(self._store, self.scope, list(zip(self._embedders, self._keys, strict=True)))
        self._answerer = self._answerer.on(self._index)


def _numbered(turns: Sequence[tuple[int, Turn]], embedders: Sequence[Embedder]) -> list[tuple[int, Derived]]:
    """What is derived from stored turns, with their row numbers."""
    parts = derive([turn for _, turn in turns], embedders)
    return [(seq, part) for (seq, _), part in zip(turns, parts, strict=True)]
