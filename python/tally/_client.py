"""The client of the control socket.

Threads share a ``Client``: each has a connection of its own, made when it first needs one. What belongs to a connection
(attached jobs, locks, items that are worked on) has another one, so that nothing waits behind it.
"""

from __future__ import annotations

import os
import select
import threading
import weakref
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Union

from . import _locks, _objects, _place
from ._errors import BadUsage, NoDaemon
from ._job import Answer, Job, Progress, answer_of, progress_of
from ._sources import Sources
from ._wire import Connection

#: Jobs that a connection may have started without being told their end; the daemon bounds it at 4096.
STARTED_MAX = 4000


def connect(socket: Optional[_place.Path] = None) -> "Client":
    """Connects to the daemon: at ``socket``, else at ``TALLY_SOCKET``, else at the default place.

    Raises ``NoDaemon`` when nobody listens there; ``tally.Daemon()`` is one of one's own.
    """
    return Client(socket)


class Client:
    """A client of one daemon. ``close`` ends its attached jobs; it is a context manager."""

    def __init__(self, socket: Optional[_place.Path] = None) -> None:
        path, self._named = _place.search(socket)
        if path is None:
            raise NoDaemon(
                "could not reach the daemon: XDG_RUNTIME_DIR is not set, so there is no default socket",
                hint="name the socket, or set TALLY_SOCKET",
            )
        #: The control socket.
        self.socket: str = path
        self._local = threading.local()
        self._all: "weakref.WeakSet[Connection]" = weakref.WeakSet()
        self._jobs: Optional[Connection] = None
        self._jobs_lock = threading.Lock()
        self._started = 0
        self._closed = False
        self._connection()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<tally.Client of {self.socket}>"

    def close(self) -> None:
        """Hangs up everywhere."""
        self._closed = True
        for connection in list(self._all):
            connection.close()

    # Reductions

    def sum(self, *sources: Any, **options: Any) -> Answer:
        """The sum of ``sources``, waited for; an interrupt ends the job. See ``reduce`` for what may be said."""
        return self._attached(["sum"], sources, options, single=True)

    def product(self, *sources: Any, **options: Any) -> Answer:
        """The product; see ``reduce``."""
        return self._attached(["product"], sources, options, single=True)

    def min(self, *sources: Any, **options: Any) -> Answer:
        """The least; see ``reduce``."""
        return self._attached(["min"], sources, options, single=True)

    def max(self, *sources: Any, **options: Any) -> Answer:
        """The greatest; see ``reduce``."""
        return self._attached(["max"], sources, options, single=True)

    def count(self, *sources: Any, **options: Any) -> Answer:
        """How many; see ``reduce``."""
        return self._attached(["count"], sources, options, single=True)

    def mean(self, *sources: Any, **options: Any) -> Answer:
        """The arithmetic mean; see ``reduce``."""
        return self._attached(["mean"], sources, options, single=True)

    def variance(self, *sources: Any, **options: Any) -> Answer:
        """The variance of a sample, or with ``population=True`` of a population; see ``reduce``."""
        return self._attached(["variance"], sources, options, single=True)

    def stddev(self, *sources: Any, **options: Any) -> Answer:
        """The standard deviation; see ``reduce``."""
        return self._attached(["stddev"], sources, options, single=True)

    def reduce(self, reductions: Union[str, Sequence[str]], *sources: Any, **options: Any) -> Answer:
        """Several reductions in one pass over the data: a dict, in the order asked. ``"sum,mean"`` or ``["sum", "mean"]``.

        A source is a range (``range(10)``, ``"0..1e9"``), a file by its path or open, a pattern, or numbers in memory: a
        list, an ``array``, a NumPy array. Options: ``of`` (an expression), ``where`` (a condition), ``by`` (a column
        or several: the answer is a dict of groups), ``step``, ``on_bad``, ``nan``, ``decimal``, ``format``,
        ``delimiter``, ``header``, ``population``, ``workers``, ``partitions``, ``retries``, ``timeout`` (seconds),
        ``priority``, ``nice``, ``memory_limit`` (bytes), ``transport``, ``start``, as on the command line.

        ``command`` is a kernel of one's own: a line as of ``--command``, or a list of words. It runs where this process
        runs, with its environment; its options are those of ``docs/kernels.md``: ``accept_status``,
        ``partition_timeout_ms``, ``recycle_after``, ``recycle_bytes``, ``cpu_limit_s``, ``files_max``,
        ``processes_max``, ``cpus``. With ``lines=True`` it reads the lines of the sources in blocks, with ``files=True``
        each source whole; then a source may also be ``bytes``, and with ``lines`` texts in a list.
        """
        return self._attached(_names(reductions), sources, options, single=False)

    def submit(self, reductions: Union[str, Sequence[str]], *sources: Any, detach: bool = False, **options: Any) -> Job:
        """A job that is not waited for. It ends with this client, unless it is detached: then it survives the daemon, too.

        With one reduction its result is a number, with several a dict; options as of ``reduce``.
        """
        names = _names(reductions)
        request = _request(names, options)
        with Sources(sources, request) as opened:
            if detach:
                request["detach"] = True
                reply = self._call("Submit", {"request": request}, fds=opened.fds)
                job = reply["job"]["job"]
            else:
                job = self._start(request, opened.fds)
        return Job(self, job, single=len(names) == 1)

    # The daemon

    def job(self, job: str) -> Job:
        """A job by its id."""
        view = self._call("Show", {"job": job})["job"]
        return Job(self, job, single=len(view["reductions"]) == 1)

    def jobs(self, all: bool = False) -> List[Progress]:
        """Open jobs, or all that are remembered."""
        found: List[Progress] = []
        after: Dict[str, Any] = {}
        while True:
            reply = self._call("Jobs", {"all": all, **after})
            found += map(progress_of, reply["jobs"])
            if reply.get("next") is None:
                return found
            after = {"after": reply["next"]}

    def status(self) -> Dict[str, Any]:
        """The daemon as a whole, as in ``tally status --json``."""
        return self._call("Status")["status"]

    def workers(self) -> List[Dict[str, Any]]:
        """Its slots, as in ``tally workers --json``."""
        return self._call("Workers")["workers"]

    def ping(self) -> None:
        """Whether the daemon turns."""
        self._call("Ping")

    def metrics(self) -> str:
        """Counters and figures, as OpenMetrics text."""
        return self._call("Metrics")["text"]

    # What processes share

    def lock(self, name: str, **options: Any) -> "_locks.Lock":
        """A lock by its name; see ``Lock``."""
        return _locks.Lock(self, name, **options)

    def semaphore(self, name: str, permits: int, **options: Any) -> "_locks.Lock":
        """A semaphore of ``permits`` by its name; see ``Lock``."""
        return _locks.Lock(self, name, permits=permits, **options)

    def locks(self) -> List[Dict[str, Any]]:
        """What is held and who waits, as in ``tally locks --json``."""
        return self._call("Locks")["locks"]

    def value(self, name: str, **options: Any) -> "_objects.Value":
        """A hosted value; options say how it is made, see ``docs/python.md``."""
        return _objects.Value(self, name, **options)

    def dict(self, name: str, **options: Any) -> "_objects.Dict":
        """A hosted dict, with text as keys."""
        return _objects.Dict(self, name, **options)

    def list(self, name: str, **options: Any) -> "_objects.List":
        """A hosted list."""
        return _objects.List(self, name, **options)

    def queue(self, name: str, **options: Any) -> "_objects.Queue":
        """A hosted queue; ``capacity`` bounds it."""
        return _objects.Queue(self, name, **options)

    def event(self, name: str, **options: Any) -> "_objects.Event":
        """A hosted event."""
        return _objects.Event(self, name, **options)

    def barrier(self, name: str, parties: int, **options: Any) -> "_objects.Barrier":
        """A hosted barrier."""
        return _objects.Barrier(self, name, parties, **options)

    def stats(self, name: str, **options: Any) -> "_objects.Stats":
        """A hosted statistic: count, exact sum, least, greatest, mean."""
        return _objects.Stats(self, name, **options)

    def objects(self) -> List[Dict[str, Any]]:
        """The objects that this client may see, as in ``tally objects --json``."""
        return self._call("Objects")["objects"]

    def transact(self, *operations: Dict[str, Any]) -> List[Dict[str, Any]]:
        """Operations as of ``docs/objects.md``, all of them or none, with nothing in between."""
        return self._call("Transact", {"operations": list(operations)})["results"]

    # Within the package

    def _connection(self) -> Connection:
        """This thread's."""
        held: Optional[Connection] = getattr(self._local, "connection", None)
        if held is None or not held.is_open:
            held = self._local.connection = self._another()
        return held

    def _another(self) -> Connection:
        """One that is used for one thing only."""
        if self._closed:
            raise ValueError("the client is closed")
        connection = Connection(self.socket, named=self._named)
        self._all.add(connection)
        return connection

    def _call(
        self, method: str, parameters: Optional[Dict[str, Any]] = None, fds: Sequence[int] = ()
    ) -> Dict[str, Any]:
        return self._connection().call(method, parameters, fds)

    def _call_within(
        self, timeout: Optional[float], method: str, parameters: Dict[str, Any]
    ) -> Optional[Dict[str, Any]]:
        """A call that the daemon answers late. ``None`` when that is too late: then its connection is closed."""
        if timeout is None:
            return self._call(method, parameters)
        connection = self._another()
        try:
            connection.send(method, parameters)
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            if not poll.poll(max(0, timeout * 1000)):
                return None
            return connection._answer(connection.receive())
        finally:
            connection.close()

    def _stream(self, method: str, parameters: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
        connection = self._another()
        try:
            yield from connection.stream(method, parameters)
        finally:
            connection.close()

    def _attached(self, reductions: List[str], sources: Iterable[Any], options: Dict[str, Any], single: bool) -> Answer:
        request = _request(reductions, options)
        with Sources(sources, request) as opened:
            view = self._call("Submit", {"request": request}, fds=opened.fds)["job"]
        return answer_of(view, single)

    def _start(self, request: Dict[str, Any], fds: Sequence[int]) -> str:
        """A job that ends with the connection for jobs."""
        with self._jobs_lock:
            if self._jobs is None or not self._jobs.is_open:
                self._jobs, self._started = self._another(), 0
            while self._started >= STARTED_MAX:
                self._started -= len(self._jobs.call("Next")["jobs"])
            job = self._jobs.call("Start", {"request": request}, fds)["job"]
            self._started += 1
            return job


def _names(reductions: Union[str, Sequence[str]]) -> List[str]:
    return reductions.replace(" ", "").split(",") if isinstance(reductions, str) else list(reductions)


#: Options that go as they are.
_PLAIN = frozenset(
    "of where on_bad nan decimal format delimiter population workers partitions retries priority nice transport start".split()
)


#: Options of a command.
_OF_COMMAND = frozenset(
    "accept_status partition_timeout_ms recycle_after recycle_bytes cpu_limit_s files_max processes_max cpus".split()
)


def environment(*more: str) -> Dict[str, List[str]]:
    """This process's and ``more``, for a command: what is text, and the bytes of what is none."""
    texts: List[str] = []
    odd: List[str] = []
    for key, value in os.environb.items():
        whole = key + b"=" + value
        try:
            texts.append(whole.decode("utf-8"))
        except UnicodeDecodeError:
            odd.append(whole.hex())
    words = {"environment": [*texts, *more]}
    return {**words, "environment_bytes": odd} if odd else words


def umask() -> int:
    """This process's; asking the system for it would set it."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o022


def _command(command: Union[str, Sequence[str]], options: Dict[str, Any]) -> Dict[str, Any]:
    """A command, with where this process is and what it has around it."""
    words: Dict[str, Any]
    words = {"line": command} if isinstance(command, str) else {"arguments": [os.fspath(word) for word in command]}
    for name in _OF_COMMAND & options.keys():
        words[name] = options.pop(name)
    lines, files = options.pop("lines", False), options.pop("files", False)
    if lines and files:
        raise BadUsage("could not begin: a command reads lines or files, not both")
    if lines or files:
        words["feed"] = "lines" if lines else "files"
    return {"directory": os.getcwd(), **environment(), "umask": umask(), **words}


def _request(reductions: List[str], options: Dict[str, Any]) -> Dict[str, Any]:
    """A request without its sources."""
    request: Dict[str, Any] = {"reductions": reductions}
    command = options.pop("command", None)
    if command is not None:
        request["command"] = _command(command, options)
    for name, value in options.items():
        if value is None:
            continue
        if name in ("lines", "files"):
            if value:
                raise BadUsage(f"could not begin: {name} is for a command")
            continue
        if name in _PLAIN:
            request[name] = value
        elif name == "by":
            request["by"] = value.split(",") if isinstance(value, str) else list(value)
        elif name == "step":
            request["step"] = str(value)
        elif name == "header":
            request["no_header"] = not value
        elif name == "timeout":
            request["timeout_ms"] = max(1, round(value * 1000))
        elif name == "memory_limit":
            request["memory_limit_bytes"] = int(value)
        elif name in _OF_COMMAND:
            raise BadUsage(f"could not begin: {name} is for a command")
        else:
            raise TypeError(f"there is no option {name!r}")
    return request
