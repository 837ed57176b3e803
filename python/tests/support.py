"""What the tests share: a daemon for a module, and conditions that are waited for."""

import os
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
    """Looks until something is so; for what happens elsewhere and says nothing."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come about")
        time.sleep(0.01)
    return found


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
