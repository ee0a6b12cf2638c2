"""Threads that share one memory, and a writer who will not let go."""

import threading
import time

import apsw
import pytest
from tests.faults.workload import memory, turn

from memspan.core.errors import StoreBusy
from memspan.text.store import connection

WRITERS, READERS, EACH = 4, 3, 25


def test_threads_share_one_memory(tmp_path):
    """Every turn of every thread is there once and whole, in each thread's order; readers see nothing else."""
    failures = []
    with memory(tmp_path / "a.mem") as here:

        def write(me):
            for number in range(EACH):
                here.remember([turn(1000 * me + number), turn(1000 * me + number + 500)])

        def read():
            seen = 0
            while not done.is_set():
                found = sum(1 for _ in here.turns())
                if found < seen or found % 2:
                    failures.append(f"{found} turns after {seen}")
                seen = found
                for hit in here.recall("note about topic", tokens=None):
                    if not hit.text.startswith("Note "):
                        failures.append(hit.text)

        def guarded(work, *given):
            try:
                work(*given)
            except Exception as why:  # noqa: BLE001 - told below
                failures.append(repr(why))

        done = threading.Event()
        writers = [threading.Thread(target=guarded, args=(write, me)) for me in range(WRITERS)]
        readers = [threading.Thread(target=guarded, args=(read,)) for _ in range(READERS)]
        for thread in (*writers, *readers):
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        for thread in readers:
            thread.join()
        texts = [found.text for found in here.turns()]
        assert failures == []
        assert len(texts) == len(set(texts)) == 2 * WRITERS * EACH
        for me in range(WRITERS):
            mine = [text for text in texts if text in {turn(1000 * me + number).text for number in range(EACH)}]
            assert mine == [turn(1000 * me + number).text for number in range(EACH)]
        assert here.check().ok


def test_a_writer_who_holds_the_lock_is_told_about(tmp_path, monkeypatch):
    """StoreBusy after the waiting time; nothing stored, reading goes on, and writing does once the lock is free."""
    monkeypatch.setattr(connection, "BUSY_S", 0.3)
    path = tmp_path / "a.mem"
    with memory(path) as here:
        here.remember(turn(0))
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        started = time.perf_counter()
        with pytest.raises(StoreBusy) as caught:
            here.remember(turn(1))
        assert 0.2 < time.perf_counter() - started < 3
        assert caught.value.waited_s == 0.3
        assert len(here.recall("note", tokens=None)) == 1
        other.execute("ROLLBACK")
        other.close()
        here.remember(turn(1))
        assert here.stats().turns == 2
