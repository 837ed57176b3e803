"""What the tests share: a daemon for a module, and conditions that are waited for."""

import fcntl
import os
import select
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
# The binary that is under test; in a checkout the one that was built.
os.environ.setdefault("TALLY_BINARY", os.path.join(HERE, "..", "..", "target", "debug", "tally"))
os.environ.pop("TALLY_SOCKET", None)

import tally  # noqa: E402

#: Far longer than anything takes, also on a machine that is busy.
PATIENCE_S = 60.0


def until(condition, what="it"):
    """Asks until something is so; each question must itself take its time: a call to the daemon."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come about")
    return found


def readable(fd, what):
    """Waits until something can be read."""
    if not select.select([fd], [], [], PATIENCE_S)[0]:
        raise AssertionError(f"{what} did not come about")


def ended(*pids):
    """Waits until processes have ended; a zombie has."""
    for pid in map(int, pids):
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            readable(fd, f"the end of process {pid}")
        finally:
            os.close(fd)


class Gate:
    """A file at which calls in other processes wait (``calls.wait_at``) until it is opened."""

    def __init__(self, path):
        self.path = path
        self._file = open(path, "w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def open(self):
        # A child that was forked meanwhile has the same file: it is not enough to close it.
        fcntl.flock(self._file, fcntl.LOCK_UN)
        self._file.close()


class Bell:
    """A pipe with a name, by which calls in other processes say that they run (``calls.ring``)."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)
        # For writing, too: so it has no end while nobody rings.
        self._fd = os.open(path, os.O_RDWR)

    def hear(self, rings=1):
        for _ in range(rings):
            readable(self._fd, "a call that runs")
            os.read(self._fd, 1)

    def close(self):
        os.close(self._fd)


def is_alive(pid):
    """Whether a process is there and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class WithDaemon(unittest.TestCase):
    """Tests that share a daemon of their own, and a client."""

    workers = 2

    @classmethod
    def setUpClass(cls):
        cls.daemon = tally.Daemon(cls.workers)
        cls.client = cls.daemon.connect()

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        pid = cls.daemon.pid
        cls.daemon.stop()
        assert not is_alive(pid)
