"""The processes of an executor, as jobs of the daemon: each is the command of a job with one partition.

The daemon starts them, limits them, ends their whole trees, and says how each ended; the jobs are attached, so that they
end with this process however that ends. Nothing here knows of calls. Not for several threads at once.
"""

from __future__ import annotations

import collections
import os
from multiprocessing import spawn, util
from typing import Any, Deque, Dict, Iterable, List, Optional, Tuple, Union

from . import _errors, _knock, _place, _serve
from ._client import environment, umask
from ._daemon import Daemon
from ._errors import NoDaemon, TallyError
from ._wire import Connection

#: What has become of a process: its number, and the job's view, or why there is none.
Ended = Tuple[int, Union[Dict[str, Any], TallyError]]


class Crew:
    """A connection for the jobs of one executor: to the daemon, or to a private one where there is none."""

    def __init__(self, socket: Optional[_place.Path], workers_max: int, options: Dict[str, Any]) -> None:
        self._options = options
        self._daemon: Optional[Daemon] = None
        self._connection = self._connected(socket, workers_max)
        #: What the next replies are to: a start of a number, or None for Next.
        self._asked: Deque[Optional[int]] = collections.deque()
        self._jobs: Dict[str, int] = {}
        self._cancelled: set = set()
        self._waits = False

    def _connected(self, socket: Optional[_place.Path], workers_max: int) -> Connection:
        path, named = _place.search(socket)
        if path is not None:
            try:
                return Connection(path, named=named)
            except NoDaemon:
                if named:
                    raise
        self._daemon = Daemon(workers_max)
        return Connection(self._daemon.socket)

    def fileno(self) -> int:
        return self._connection.fileno()

    @property
    def socket(self) -> str:
        """The daemon's control socket."""
        return self._connection.path

    def start(self, number: int, addresses: List[str], secret: bytes) -> None:
        """Has a process started that will connect to one of ``addresses`` as ``number``."""
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        program = f"import sys; sys.path.insert(0, {package!r}); from tally._serve import main; main(*sys.argv[1:])"
        flags = util._args_from_interpreter_flags()  # type: ignore[attr-defined]
        python = os.fsdecode(spawn.get_executable())
        command = {
            "arguments": [python, *flags, "-c", program, str(number)],
            "form": "each",
            "directory": os.getcwd(),
            **environment(
                f"{_serve.SECRET}={secret.hex()}",
                f"{_serve.ADDRESSES}=" + "\n".join(map(_knock.shown, addresses)),
            ),
            "umask": umask(),
        }
        request = {
            "reductions": ["sum"],
            "sources": [f"{number}..{number + 1}"],
            "partitions": 1,
            "retries": 0,
            "command": command,
            **self._options,
        }
        self._connection.send("Start", {"request": request})
        self._asked.append(number)

    def cancel(self, numbers: Iterable[int]) -> None:
        """Ends processes at once, with all that they have started."""
        numbers = set(numbers)
        self._cancelled |= numbers
        self._cancel([job for job, number in self._jobs.items() if number in numbers])

    def _cancel(self, jobs: List[str]) -> None:
        if jobs:
            self._connection.send("Cancel", {"jobs": jobs})
            self._asked.append(-1)

    def wait(self) -> None:
        """Has the end of processes told, once somebody reads."""
        if self._jobs and not self._waits:
            self._connection.send("Next")
            self._asked.append(None)
            self._waits = True

    def read(self) -> List[Ended]:
        """Reads what has come: which processes have ended, or could not be started.

        Raises ``SupervisorGone`` when the daemon is gone, and its processes with it.
        """
        ended: List[Ended] = []
        while True:
            reply = self._connection.receive()
            self._take(reply, ended)
            if not self._connection.holds_reply():
                self.wait()
                return ended

    def _take(self, reply: Dict[str, Any], ended: List[Ended]) -> None:
        asked = self._asked.popleft()
        parameters = reply.get("parameters") or {}
        if asked is None:
            self._waits = False
            for view in parameters.get("jobs", ()):
                number = self._jobs.pop(view["job"], None)
                if number is not None:
                    ended.append((number, view))
        elif asked < 0:
            # To a cancel: those that it came too late for have ended.
            pass
        elif "error" in reply:
            ended.append((asked, _errors.of_reply(reply["error"], parameters)))
        else:
            self._jobs[parameters["job"]] = asked
            if asked in self._cancelled:
                self._cancel([parameters["job"]])

    def close(self) -> None:
        """Lets go of the daemon: what still runs ends."""
        self._connection.close()
        if self._daemon is not None:
            self._daemon.stop()

    def forget(self) -> None:
        """In a forked child: the processes are the parent's."""
        self._connection.close()
        if self._daemon is not None:
            self._daemon.forget()


def unreached(view: Union[Dict[str, Any], TallyError]) -> Optional[str]:
    """Where a process has looked for the executor in vain, if that is how it ended."""
    if isinstance(view, TallyError):
        return None
    for line in reversed((view.get("error", {}).get("stderr") or "").splitlines()):
        if line.startswith(_serve.UNREACHED):
            return line[len(_serve.UNREACHED) :]
    return None


def how_it_ended(view: Union[Dict[str, Any], TallyError]) -> str:
    """What the daemon says of the end of a process."""
    if isinstance(view, TallyError):
        return view.message
    failure = view.get("error")
    if failure is None:
        return f"the process ended by itself ({view['state']})"
    # What happened to it, rather than what that means for a range of numbers.
    incidents = view.get("incidents")
    text = incidents[-1]["what"] if incidents else failure["message"]
    if failure.get("stderr"):
        text += "\n  standard error: " + failure["stderr"].rstrip().replace("\n", "\n  ")
    return text
