"""The stints of a run: what an earlier run kept is taken over, the rest is run in worker processes."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

from memspan.bench import crew, systems, vectors
from memspan.bench.cases import DataSet
from memspan.bench.peers import client
from memspan.bench.replies import Replies, fingerprint
from memspan.bench.report import Board
from memspan.bench.runner import Job, job_of
from memspan.core.errors import MemspanError, MissingExtra, MissingModel

LIMIT_S = 1800.0
PEER_LIMIT_S = 60.0
PEER_PATIENCE_S = 180.0
"""A peer's case begun within its limit may take so long; then it is killed."""
HEAVY_UNITS = 17_000
"""Whatever looks vectors up or runs beside memspan takes the first cases of a set, up to so many units."""
READING_UNITS = 6_000
"""The same for whatever lets MiniLM read by itself."""
ABLATION_UNITS = 5_000
"""A set of more is left out for ablations; and for whatever is heavy, where it does not count in the mean."""
READING = ("full", "high", "full-high")
CHUNK = 1024
Say = Callable[[str], None]
Pair = tuple[DataSet, str]


@dataclass(slots=True)
class Work:
    """Systems over the sheets of a board.

    replies: what is kept for the next run;  vectors: the file of MiniLM vectors;  limit_s: of a stint, None = the
    defaults;  absent: system -> why it cannot run, filled as it shows
    """

    board: Board
    replies: Replies
    vectors: Path
    limit_s: float | None
    processes: int
    say: Say
    absent: dict[str, str] = field(default_factory=dict)

    def run(self, pairs: Sequence[Pair]) -> None:
        """Score every pair of data set and system, as far as each comes."""
        pairs = self._embedded(self._startable(pairs))
        stints = [stint for data, system in pairs if (stint := self._left(data, system))]
        total = done = sum(self._reach(data, system) for data, system in pairs)
        done -= sum(len(stint.cases) for stint in stints)
        for news in crew.run(sorted(stints, key=_slow_first), self.processes):
            stint = news.stint
            if isinstance(news, crew.Stopped):
                self.board.stop(stint.set, stint.system, news.status, news.why)
                continue
            self.replies.put(fingerprint(stint.jobs(news.place)), news.outcome)
            self.board.add(stint.set, stint.system, stint.cases[news.place], news.outcome)
            done += 1
            self.say(f"{done}/{total} cases: {stint.set}, {stint.system}")

    def _startable(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs whose system can be made here; of the others it is said why not."""
        for name in dict.fromkeys(system for _, system in pairs):
            if systems.facts(name).vectors and systems.facts(name).kind != "peer":
                continue
            with TemporaryDirectory(prefix="memspan-bench-") as folder:
                try:
                    systems.load(name)(Path(folder)).close()
                except MemspanError as why:
                    self.absent[name] = str(why)
        client.stop()
        return [pair for pair in pairs if pair[1] not in self.absent]

    def _left(self, data: DataSet, system: str) -> crew.Stint | None:
        """What an earlier run did not do; what it did is scored."""
        reach, left = self._reach(data, system), []
        self.board.begin(data.name, system)
        if reach < len(self.board.sheets[data.name].cases):
            self.board.stop(data.name, system, "cut", "only the first cases of a large set are asked for")
        for place in range(reach):
            kept = self.replies.get(fingerprint(self._job(data, system, place)))
            if kept is None:
                left.append(place)
            else:
                self.board.add(data.name, system, place, kept)
        if not left:
            return None
        peer = systems.facts(system).kind == "peer"
        return crew.Stint(
            data.name,
            system,
            left,
            partial(self._job_at, data, system, left),
            limit_s=self.limit_s or (PEER_LIMIT_S if peer else LIMIT_S),
            patience_s=PEER_PATIENCE_S if peer else LIMIT_S,
            prepare=partial(_share, self.vectors) if systems.facts(system).vectors else None,
        )

    def _reach(self, data: DataSet, system: str) -> int:
        """How many cases the system is asked to do."""
        cases, about = self.board.sheets[data.name].cases, systems.facts(system)
        if not about.vectors and about.kind != "peer" and system not in READING:
            return len(cases)
        most = READING_UNITS if system in READING else HEAVY_UNITS
        sizes = accumulate(len(case.units) for case in cases)
        return max(1, sum(size <= most for size in sizes))

    def _job(self, data: DataSet, system: str, place: int) -> Job:
        sheet = self.board.sheets[data.name]
        return job_of(data, sheet.cases[place], sheet.asked[place], system)

    def _job_at(self, data: DataSet, system: str, places: Sequence[int], index: int) -> Job:
        return self._job(data, system, places[index])

    def _embedded(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Embed once what any system looks up; without the model those systems are absent."""
        wanting = [(data, system) for data, system in pairs if systems.facts(system).vectors]
        if not wanting:
            return list(pairs)
        try:
            shared = vectors.use(self.vectors)
        except (MissingExtra, MissingModel) as why:
            self.absent |= {system: str(why) for _, system in wanting}
            return [pair for pair in pairs if pair not in wanting]
        shared.close()
        texts = dict.fromkeys(
            text
            for data in {data.name: data for data, _ in wanting}.values()
            for case in self.board.sheets[data.name].cases[: self._reach(data, wanting[0][1])]
            for text in vectors.wanted(case)
        )
        self._embed(sorted(texts, key=len, reverse=True))
        return list(pairs)

    def _embed(self, texts: Sequence[str]) -> None:
        """The texts that the file does not have, in as many processes as the run."""
        chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
        fresh = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(
            self.processes, mp_context=fresh, initializer=_share, initargs=(self.vectors,)
        ) as pool:
            for done, _ in enumerate(pool.map(_prepare, chunks), 1):
                self.say(f"MiniLM: {min(done * CHUNK, len(texts))}/{len(texts)} texts")


def _share(path: Path) -> None:
    vectors.use(path)


def _prepare(texts: Sequence[str]) -> int:
    return vectors.shared().prepare(texts)


def _slow_first(stint: crew.Stint) -> tuple[bool, int]:
    """Peers first, the largest set first: so that no long stint is left to run alone."""
    return (systems.facts(stint.system).kind != "peer", -sum(len(stint.jobs(n).units) for n in range(len(stint.cases))))
