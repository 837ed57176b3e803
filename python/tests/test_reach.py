"""How an executor and its workers find each other, and whom neither of them believes."""

import os
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import unittest
from concurrent.futures.process import BrokenProcessPool
from unittest import mock

import calls
from support import HERE, WithDaemon, readable, tally
from tally import _frames, _places, _proof

#: Somebody else, where the tests are root's.
NOBODY = 65534


def needs_root(test):
    return unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else, and make namespaces")(test)


def as_nobody(command, **options):
    return subprocess.Popen(
        command, user=NOBODY, group=NOBODY, extra_groups=[], **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options}
    )


def python_of_nobody():
    """An interpreter that somebody else may run."""
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            with as_nobody([python, "-c", "print('runs')"], cwd="/") as process:
                if process.communicate()[0] == b"runs\n":
                    return python
        except OSError:
            pass
    raise unittest.SkipTest("there is no python3 that user nobody may run")


class Owned:
    """Whoever unpickles it makes a directory."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


#: Listens at an abstract address, says that it does, sends what it got from its input to who comes, tells what it is sent.
HOSTILE = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind("\\0" + sys.argv[1])
listener.listen()
print("listening", flush=True)
connection, _ = listener.accept()
said = b""
try:
    connection.sendall(sys.stdin.buffer.read())
    while data := connection.recv(4096):
        said += data
except ConnectionError:
    pass
print(said.hex(), flush=True)
"""


class Reached(WithDaemon):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.owned = os.path.join(self.directory, "owned")
        self.setup = b"".join(_frames.frame(_frames.SETUP, pickle.dumps(Owned(self.owned))))

    def executor(self, **options):
        executor = tally.Executor(1, socket=self.daemon.socket, **options)
        self.addCleanup(executor.shutdown)
        return executor

    def patch(self, name, value):
        patching = mock.patch.object(_places, name, value)
        patching.start()
        self.addCleanup(patching.stop)

    def told(self, *addresses):
        """Workers are told of these before those that are there, or with none of those."""
        real = _places.nameless

        def nameless():
            found = real()
            for address, place in zip(addresses, found):
                place.address = address
            return found

        self.patch("nameless", nameless)

    def hostile(self, words, start=subprocess.Popen, python=sys.executable):
        """Somebody who listens where a worker looks first."""
        name = f"tally-test-{os.getpid()}"
        process = start([python, "-c", HOSTILE, name], cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"listening\n")
        process.stdin.write(words)
        process.stdin.close()
        self.told("\0" + name)
        return process

    @needs_root
    def test_a_worker_tells_nothing_to_another_user_and_believes_nothing(self):
        process = self.hostile(self.setup, as_nobody, python_of_nobody())
        self.assertEqual(self.executor().submit(calls.square, 7).result(), 49)
        self.assertEqual(process.stdout.readline(), b"\n")
        self.assertFalse(os.path.exists(self.owned))

    def is_not_believed(self, words):
        """Whoever says this, as the same user, where a worker looks first."""
        process = self.hostile(words + self.setup)
        executor = self.executor()
        self.assertEqual(executor.submit(calls.square, 7).result(), 49)
        said = bytes.fromhex(process.stdout.readline().decode())
        self.assertEqual(len(said), _frames.HEADER.size + _proof.HELLO_BYTES)
        self.assertNotIn(executor._pool.door.secret, said)
        self.assertFalse(os.path.exists(self.owned))

    def test_a_worker_believes_nobody_who_does_not_know_the_secret(self):
        self.is_not_believed(b"".join(_frames.frame(_frames.CHALLENGE, b"\0" * _proof.CHALLENGE_BYTES)))

    def test_a_worker_believes_nobody_who_proves_nothing(self):
        self.is_not_believed(b"")

    def test_a_worker_believes_nobody_who_proves_too_little(self):
        self.is_not_believed(b"".join(_frames.frame(_frames.CHALLENGE, b"\0")))

    @needs_root
    def test_another_user_is_not_let_in(self):
        executor = self.executor()
        executor.submit(calls.square, 7).result()
        code = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(chr(0) + sys.argv[1]); print(s.recv(9))"
        address = executor._pool.door.addresses[0].lstrip("\0")
        with as_nobody([python_of_nobody(), "-c", code, address], cwd="/") as process:
            self.assertEqual(process.communicate()[0], b"b''\n")

    def test_strangers_are_not_let_in(self):
        executor = self.executor()
        executor.submit(calls.square, 7).result()
        door = executor._pool.door

        def knock(words):
            stranger = socket.socket(socket.AF_UNIX)
            self.addCleanup(stranger.close)
            stranger.connect(door.addresses[0])
            stranger.sendall(words)
            return stranger

        hello = b"".join(_frames.frame(_frames.HELLO, _proof.NUMBER.pack(1) + b"n" * _proof.NONCE_BYTES))
        silent = knock(b"")
        for words in [
            b"H" + b"\xff" * 40,
            b"H\x05\0\0\0\0\0\0\0wrong",
            b"R" + b"\0" * 8,
            # Proofs without a question, and of the wrong kind.
            b"".join(_frames.frame(_frames.PROOF, b"\0" * _proof.PROOF_BYTES)),
            hello + b"".join(_frames.frame(_frames.PROOF, b"\0" * _proof.PROOF_BYTES)),
        ]:
            self.assertEqual(knock(words).recv(100), b"", words)
        # The executor's own proof is none of a worker's; nor is that of another conversation.
        challenges = []
        for which, part in [(-1, slice(-_proof.PROOF_BYTES, None)), (0, slice(-_proof.PROOF_BYTES, None)), (0, slice(0))]:
            stranger = knock(hello)
            challenges.append(stranger.recv(1000))
            self.assertEqual(len(challenges[-1]), _frames.HEADER.size + _proof.CHALLENGE_BYTES)
            stranger.sendall(b"".join(_frames.frame(_frames.PROOF, challenges[which][part])))
            self.assertEqual(stranger.recv(100), b"")
        self.assertEqual(len(set(challenges)), len(challenges))
        self.assertEqual(executor.submit(calls.square, 2).result(), 4)
        silent.close()

    def test_the_secret_is_only_where_its_user_can_read(self):
        executor = self.executor()
        worker = executor.submit(calls.pid).result()
        door = executor._pool.door
        with open(f"/proc/{worker}/cmdline", "rb") as words:
            line = words.read()
        self.assertIn(b"_serve", line)
        for hidden in (door.secret.hex(), *(address.lstrip("\0") for address in door.addresses)):
            self.assertNotIn(hidden.encode(), line)
        environ = os.stat(f"/proc/{worker}/environ")
        self.assertEqual((environ.st_uid, environ.st_mode & 0o777), (os.geteuid(), 0o400))
        self.assertEqual([name for name in executor.submit(calls.names_in_environment).result() if "EXECUTOR" in name], [])

    def test_files_are_made_where_nothing_else_can_be_reached(self):
        # Too long for the address of a socket.
        base = os.path.join(self.directory, "b" * 120)
        for name in ("dead", "alive"):
            os.makedirs(os.path.join(base, _places.PREFIX + name))
            listener = socket.socket(socket.AF_UNIX)
            self.addCleanup(listener.close)
            held = os.open(os.path.join(base, _places.PREFIX + name), os.O_PATH)
            listener.bind(f"/proc/self/fd/{held}/{_places.FILE}")
            os.close(held)
            listener.listen()
            if name == "dead":
                listener.close()
        other = os.path.join(self.directory, "other")
        os.mkdir(other)
        self.told("\0nobody-listens-there", os.path.join(self.directory, "nowhere"))
        self.patch("bases", lambda _: [os.path.join(self.directory, "nowhere"), base, other])
        executor = self.executor()
        self.assertEqual(executor.submit(calls.square, 7).result(), 49)
        (address,) = executor._pool.door.addresses
        directory = os.path.dirname(address)
        self.assertEqual(os.path.dirname(directory), base)
        self.assertEqual(os.stat(directory).st_mode & 0o777, 0o700)
        self.assertEqual(sorted(os.listdir(base)), sorted([os.path.basename(directory), _places.PREFIX + "alive"]))
        self.assertEqual(os.listdir(other), [])
        executor.kill_workers()
        self.assertEqual(executor.submit(calls.square, 8).result(), 64)
        executor.shutdown()
        self.assertEqual(os.listdir(base), [_places.PREFIX + "alive"])

    def test_a_forked_child_does_not_remove_them(self):
        self.told("\0nobody-listens-there", os.path.join(self.directory, "nowhere"))
        self.patch("bases", lambda _: [self.directory])
        executor = self.executor()
        executor.submit(calls.square, 7).result()
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        self.assertTrue(os.path.exists(executor._pool.door.addresses[0]))

    def test_what_cannot_be_reached_is_told_at_once_in_one_line(self):
        self.told("\0nobody-listens-there", os.path.join(self.directory, "nowhere"))
        self.patch("bases", lambda _: [])
        executor = self.executor()
        with self.assertRaises(BrokenProcessPool) as caught:
            executor.submit(calls.square, 7).result()
        self.assertEqual(
            str(caught.exception),
            "no worker can reach this program: @nobody-listens-there (connection refused), "
            f"{self.directory}/nowhere (no such file or directory)",
        )
        self.assertEqual(executor._pool._last_number, 1)


@needs_root
class Namespaces(unittest.TestCase):
    """A daemon that sees another network, and other directories, than the program."""

    def setUp(self):
        if subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True).returncode:
            self.skipTest("namespaces cannot be made here")
        # Seen by everybody, and not in a directory that is hidden here.
        directory = tempfile.TemporaryDirectory(prefix="tally-test-", dir="/var/tmp")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        os.chmod(self.directory, 0o755)
        # The workers' directory, too; tests may have been started in one that is hidden.
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir("/")

    def start(self, *hidden, read_only=()):
        """A daemon in a network of its own, from which directories are hidden, or who cannot write there."""
        needed = [os.environ["TALLY_BINARY"], tally.__file__, calls.__file__, sys.executable]
        for one in hidden:
            if any(os.path.realpath(path).startswith(one + "/") for path in needed):
                self.skipTest(f"this program is below {one}, which is hidden here")
        path = os.path.join(self.directory, "tally.sock")
        notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(notices.close)
        notices.bind(os.path.join(self.directory, "notices"))
        hide = "".join(f"mount -t tmpfs none {one} && " for one in hidden)
        hide += "".join(f"mount --bind {one} {one} && mount -o remount,bind,ro {one} && " for one in read_only) + 'exec "$@"'
        daemon = [os.environ["TALLY_BINARY"], "daemon", "--foreground", "--until-eof", "--workers", "2"]
        daemon += ["--socket", path, "--socket-mode", "0666", "--state-dir", "none"]
        process = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", hide, "sh", *map(os.path.abspath, daemon[:1]), *daemon[1:]],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "NOTIFY_SOCKET": os.path.join(self.directory, "notices")},
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        said = b""
        while b"READY=1" not in said:
            readable(notices, "a daemon that listens")
            said = notices.recv(4096)
        return path

    def calls_through_files(self, path, base):
        with tally.Executor(2, socket=path) as executor:
            self.assertEqual(list(executor.map(calls.square, range(9))), [n * n for n in range(9)])
            (address,) = executor._pool.door.addresses
            self.assertTrue(address.startswith(f"{base}/{_places.PREFIX}"), address)
        self.assertFalse(os.path.exists(os.path.dirname(address)))

    def test_a_program_of_root_s_is_reached_by_a_file(self):
        # As with PrivateTmp=yes and ProtectSystem=strict.
        path = self.start("/tmp", read_only=["/run"])
        with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=""):
            self.calls_through_files(path, "/run/user/0" if os.path.isdir("/run/user/0") else "/run")

    def test_a_program_of_root_s_is_reached_in_the_daemon_s_directory(self):
        with mock.patch.dict(os.environ, XDG_RUNTIME_DIR="/run"):
            self.calls_through_files(self.start("/tmp", "/run"), self.directory)

    def test_a_program_of_anybody_s_is_reached_by_its_descriptor(self):
        python, path = python_of_nobody(), self.start("/tmp", "/run")
        for source in (os.path.join(os.path.dirname(HERE), "tally"), os.path.join(HERE, "calls.py")):
            copy = os.path.join(self.directory, os.path.basename(source))
            shutil.copytree(source, copy) if os.path.isdir(source) else shutil.copy(source, copy)
        for place, _, files in os.walk(self.directory):
            for one in [place, *(os.path.join(place, name) for name in files if name.endswith(".py"))]:
                os.chmod(one, 0o755)
        program = """
            import calls, os, tally
            if __name__ == "__main__":
                with tally.Executor(2) as executor:
                    print(list(executor.map(calls.square, range(4))), executor.submit(os.geteuid).result())
                    print(executor._pool.door.widened)
        """
        file = os.path.join(self.directory, "program.py")
        with open(file, "w") as out:
            out.write(textwrap.dedent(program))
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": self.directory, "TALLY_SOCKET": path}
        with as_nobody([python, "-B", file], env=environment, cwd="/") as process:
            self.assertEqual(process.communicate()[0].decode(), f"[0, 1, 4, 9] {NOBODY}\n0\n")


if __name__ == "__main__":
    unittest.main()
