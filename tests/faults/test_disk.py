"""T2: the disk is full or broken: a typed error, nothing lost, nothing half there, and it works again afterwards."""

import errno
import os
import shutil
import subprocess
import sys

import apsw
import pytest
from tests.faults.failing import MODES, Mode, everywhere
from tests.faults.kills import SYSTEM_VFS
from tests.faults.workload import memory, turn

from memspan.core.errors import DiskFull, StoreError

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="replaces the system calls of Linux")

STEPS = [(turn(0),), (turn(1), turn(2), turn(3, 100)), "reopen", (turn(4),)]
QUICK_MODES = [Mode(errno.ENOSPC, False), Mode(errno.ENOSPC, True), Mode(errno.EIO, False)]


def check(mode):
    tally = everywhere(STEPS, mode)
    print(f"{mode}: {tally.faults} faults, {tally.raised} raised, {tally.swallowed} swallowed, {tally.wrong[:3]}")
    assert tally.wrong == []
    assert tally.raised > 5


@pytest.mark.parametrize("mode", QUICK_MODES, ids=str)
def test_the_nth_write_fails(mode):
    """For every n; the same memory takes the same turns once there is room."""
    check(mode)


def test_no_room_while_opening_is_told_as_no_room():
    """Opening needs room for the lock file; where there is none the error is DiskFull too."""
    tally = everywhere([(turn(0),), "reopen"], Mode(errno.ENOSPC, True))
    assert tally.vague == 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_the_nth_write_fails_in_every_way(mode):
    """No room or a broken disk, once or for ever, at once or after 100 bytes."""
    check(mode)


class FailingSync(apsw.VFS):
    """The n-th sync fails."""

    def __init__(self, number):
        self.left = number
        super().__init__("failing sync", SYSTEM_VFS, makedefault=True)

    def xOpen(self, name, flags):
        return FailingSyncFile(self, name, flags)


class FailingSyncFile(apsw.VFSFile):
    def __init__(self, vfs, name, flags):
        self.vfs = vfs
        super().__init__(SYSTEM_VFS, name, flags)

    def xSync(self, flags):
        self.vfs.left -= 1
        if self.vfs.left == 0:
            raise apsw.IOError("injected")
        super().xSync(flags)


def test_a_failing_sync_is_no_acknowledgement(tmp_path):
    """For every n: the call whose sync failed raises, all others are there, and the turn can be remembered again."""
    failed = 0
    for number in range(1, 40):
        path = tmp_path / f"{number}.mem"
        memory(path).close()
        vfs = FailingSync(number)
        try:
            here = memory(path)
            for step in range(4):
                try:
                    here.remember(turn(step))
                except StoreError:
                    failed += 1
                    here.remember(turn(step))
            try:
                here.close()
            except StoreError:
                failed += 1
        finally:
            vfs.unregister()
            apsw.set_default_vfs(SYSTEM_VFS)
        with memory(path) as here:
            assert [found.text for found in here.turns()] == [turn(step).text for step in range(4)]
            assert here.check().ok
        if vfs.left > 0:
            break
    print(f"{failed} syncs failed")
    assert failed >= 4


def test_a_disk_that_is_really_full(tmp_path):
    """A file system of one megabyte: DiskFull, nothing lost, and it works again after something is removed."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = (
        os.getuid() == 0
        and shutil.which("mount")
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("needs the right to mount a file system of one megabyte; the injected faults ran all the same")
    try:
        ballast = place / "ballast"
        ballast.write_bytes(bytes(300_000))
        here = memory(place / "a.mem")
        written = 0
        while written < 10_000:
            try:
                here.remember(turn(written, 20))
            except DiskFull as why:
                assert "Free some space" in str(why)  # noqa: PT017
                break
            written += 1
        assert 3 < written < 10_000
        assert [found.text for found in here.turns()] == [turn(number, 20).text for number in range(written)]
        assert turn(1, 20).text in {hit.text for hit in here.recall("topic 919", tokens=None)}
        with pytest.raises(DiskFull):
            here.remember([turn(number, 400) for number in range(written, written + 100)])
        ballast.unlink()
        here.remember(turn(written, 20))
        here.close()
        with memory(place / "a.mem") as here:
            assert here.stats().turns == written + 1
            assert here.check().ok
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
