"""The client against a real daemon: answers, jobs, files, errors."""

import array
import ctypes
import decimal
import fractions
import math
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import unittest

from support import HERE, WithDaemon, ended, is_alive, tally


class Pair(ctypes.Structure):
    _fields_ = [("one", ctypes.c_int16), ("other", ctypes.c_int32)]


class Reductions(WithDaemon):
    def test_answers_are_exact(self):
        client = self.client
        self.assertEqual(client.sum("0..100000000"), 4999999950000000)
        self.assertEqual(client.product("1..=1000"), math.factorial(1000))
        self.assertEqual(client.product(range(1, 3001), workers=1), math.factorial(3000))
        self.assertEqual(client.mean(range(10)), 4.5)
        self.assertEqual(client.sum("0..10", of="i * i", where="i % 2 == 1"), 165)
        self.assertEqual(client.sum(range(0, 100, 7)), sum(range(0, 100, 7)))
        self.assertEqual(client.sum(range(100, 0, -7)), sum(range(100, 0, -7)))
        self.assertEqual(client.count("5..9"), 4)
        self.assertEqual(client.variance([1, 2, 3, 4]), 5 / 3)
        self.assertEqual(client.variance([1, 2, 3, 4], population=True), 1.25)
        answers = client.reduce("sum,max", range(10))
        self.assertEqual(list(answers.items()), [("sum", 45), ("max", 9)])
        self.assertEqual(client.reduce(["min"], range(10)), {"min": 0})

    def test_numbers_in_memory(self):
        client = self.client
        self.assertEqual(client.sum([1, 10**30, -5]), 10**30 - 4)
        self.assertEqual(client.sum([0.1] * 10), 1.0)
        self.assertEqual(client.max(array.array("i", [3, -7, 5])), 5)
        self.assertEqual(client.min(array.array("Q", [2**64 - 1, 2**63])), 2**63)
        self.assertEqual(client.sum(array.array("d", [1e100, 1.0, -1e100])), 1.0)
        self.assertEqual(client.sum(array.array("f", [0.5, 0.25])), 0.75)
        self.assertEqual(client.sum(bytearray([255, 1])), 256)
        self.assertEqual(client.sum(x for x in (1, 2)), 3)
        with self.assertRaises(TypeError):
            client.sum(["one"])
        with self.assertRaises(tally.BadUsage):
            client.sum(array.array("d", [1]), array.array("f", [1]))
        # Two numbers in each element: no format of ours.
        pairs = (Pair * 2)(Pair(1, 2), Pair(3, 4))
        with self.assertRaises(tally.BadUsage):
            client.sum(pairs)

    def test_nothing_in_memory_is_rounded_unasked(self):
        client, of = self.client, decimal.Decimal
        big = 2**53 + 1
        self.assertEqual(client.sum([of("12345678901234567890.12"), of("-12345678901234567890")]), of("0.12"))
        self.assertEqual(str(client.sum([of("0.1")] * 3)), "0.3")
        self.assertEqual(client.max([of("0.1"), of("0.10000000000000000001")]), of("0.10000000000000000001"))
        self.assertEqual(client.sum([of("0.1"), big], [1]), big + 1 + of("0.1"))
        self.assertEqual(client.sum(of(n) / 10 for n in range(10)), of("4.5"))
        self.assertEqual(client.sum([of("0.5"), 0.1], decimal=True), of("0.6"))
        self.assertEqual(client.sum([of("0.1")] * 3, decimal=False), 0.3 + 2**-54)
        # As exact as they are where each is a float, or none is.
        self.assertEqual(client.sum([2**53, 0.5, 2.0**53]), 2.0**54)
        self.assertEqual(client.sum([big, big]), 2 * big)
        self.assertEqual(client.sum([big, 0.5], decimal=True), big + of("0.5"))
        self.assertEqual(client.sum([big, 0.5], decimal=False), 2.0**53)
        self.assertEqual(client.sum([fractions.Fraction(1, 2), 1]), 1.5)
        for sources, told in [
            (([of("0.1"), 0.1],), "decimals and floats"),
            (([of("0.1")], [0.1]), "decimals and floats"),
            (([big, 0.5],), str(big)),
            (([0.5], [2**4000]), "1318204093430943" + "1001... (1205 digits)"),
        ]:
            with self.assertRaises(tally.BadUsage) as caught:
                client.sum(*sources)
            self.assertIn(told, str(caught.exception))
            self.assertIn("decimal=True", caught.exception.hint)
        with self.assertRaises(TypeError):
            client.sum([fractions.Fraction(1, 3)])

    def test_what_is_wrong_with_data_is_told_with_its_place(self):
        with self.assertRaises(tally.BadData) as caught:
            self.client.sum(range(-2, 2), of="1 // i")
        self.assertIsInstance(caught.exception, tally.KernelFailed)
        self.assertEqual((caught.exception.code, caught.exception.details["element"]), ("bad-data", "0"))

    def test_files_go_as_descriptors(self):
        client = self.client
        with tempfile.TemporaryDirectory() as directory:
            for name, rows in {"a.csv": "north,1.10\nsouth,2\n", "b.csv": "north,3\n"}.items():
                with open(os.path.join(directory, name), "w") as out:
                    out.write("region,price\n" + rows)
            pattern = os.path.join(directory, "*.csv")
            one = os.path.join(directory, "a.csv")
            self.assertEqual(client.sum(pattern, of="price", by="region"), {"north": 4.1, "south": 2})
            self.assertEqual(client.sum(one, of="price", decimal=True), decimal.Decimal("3.10"))
            by_two = client.reduce("count,max", pattern, of="price", by=["region", "price"])
            self.assertEqual(by_two[("south", "2")], {"count": 1, "max": 2})
            with open(one) as opened:
                self.assertEqual(client.count(opened, of="price"), 2)
            self.assertEqual(client.sum(*[one] * 300, of="price", where='region == "south"'), 600)
            with self.assertRaises(tally.BadUsage) as caught:
                client.sum(one, range(3))
            self.assertIn("ranges or files", str(caught.exception))
        with self.assertRaises(tally.BadUsage) as caught:
            client.sum("data.csv")
        self.assertEqual(caught.exception.hint, "a range looks like 0..100 or 1..=100")

    def test_a_pipe_is_read_to_its_end(self):
        process = subprocess.Popen(["seq", "1", "1000"], stdout=subprocess.PIPE)
        self.assertEqual(self.client.sum(process.stdout, format="txt"), 500500)
        process.stdout.close()
        process.wait()

    def test_errors_are_classes(self):
        client = self.client
        with self.assertRaises(tally.NoAnswer) as caught:
            client.mean(range(0))
        self.assertEqual((caught.exception.code, caught.exception.exit), ("no-answer", 1))
        self.assertIsInstance(caught.exception, ValueError)
        with self.assertRaises(tally.BadUsage) as caught:
            client.sum("0..10", of="i +")
        self.assertIn("a value is missing at the end", str(caught.exception))
        with self.assertRaises(tally.BadUsage) as caught:
            client.sum("0..10", partitions=-1)
        self.assertEqual(caught.exception.exit, 2)
        with self.assertRaises(tally.TimedOut) as caught:
            client.sum("0..1e15", of="i * i % 7", timeout=0.05)
        self.assertIsInstance(caught.exception, TimeoutError)
        with self.assertRaises(LookupError):
            client.job("j99999")
        with self.assertRaises(TypeError):
            client.sum("0..10", nonsense=1)
        copy = pickle.loads(pickle.dumps(caught.exception))
        self.assertEqual((type(copy), str(copy), copy.code), (tally.TimedOut, str(caught.exception), "timed-out"))
        # The connection is still good.
        self.assertEqual(client.sum(range(3)), 3)

    def test_nobody_there(self):
        with self.assertRaises(tally.NoDaemon) as caught:
            tally.connect("/nowhere/tally.sock")
        self.assertEqual(caught.exception.exit, 3)
        self.assertEqual(caught.exception.message, "could not reach the daemon at /nowhere/tally.sock: nobody listens")

    def test_the_search_for_the_socket(self):
        environment = {**os.environ, "TALLY_SOCKET": self.daemon.socket, "PYTHONPATH": os.path.dirname(HERE)}
        program = "import tally; print(tally.connect().socket)"
        said = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        self.assertEqual(said.stdout.strip(), self.daemon.socket)

    def test_threads_share_a_client(self):
        answers = []

        def ask(n):
            for k in range(20):
                answers.append(self.client.sum(range(n, n + k)) == sum(range(n, n + k)))

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [True] * 160)


class Jobs(WithDaemon):
    LONG = ("0..1e15",)

    def test_a_job_is_followed_to_its_end(self):
        job = self.client.submit("sum", "0..2e7", of="i * i % 7", partitions=50)
        seen = list(job.follow())
        self.assertEqual((seen[-1].state, seen[-1].fraction, seen[-1].done), ("done", 1.0, 20_000_000))
        self.assertEqual(job.result(), job.result())
        self.assertIn(job.id, [one.job for one in self.client.jobs(all=True)])

    def test_pause_resume_cancel(self):
        job = self.client.submit("sum", *self.LONG, of="i * i % 7")
        job.pause()
        self.assertEqual(job.show().state, "paused")
        self.assertTrue(job.explain())
        job.resume()
        self.assertIn(job.show().state, ("queued", "running"))
        with self.assertRaises(tally.TimedOut):
            job.wait(timeout=0.05)
        job.cancel()
        self.assertEqual(job.wait().state, "cancelled")
        with self.assertRaises(tally.Cancelled) as caught:
            job.result()
        self.assertEqual(caught.exception.exit, 4)

    def test_several_reductions_are_a_dict(self):
        self.assertEqual(self.client.submit("sum,count", range(5)).result(), {"sum": 10, "count": 5})

    def test_attached_ends_with_the_client_and_detached_does_not(self):
        other = self.daemon.connect()
        attached = other.submit("sum", *self.LONG, of="i * i % 7")
        detached = other.submit("sum", *self.LONG, detach=True, of="i * i % 7")
        other.close()
        self.assertEqual(self.client.job(attached.id).wait().state, "cancelled")
        job = self.client.job(detached.id)
        self.assertIn(job.show().state, ("queued", "running"))
        job.cancel()
        job.wait()

    def test_more_jobs_than_a_connection_remembers(self):
        from tally import _client

        usual, _client.STARTED_MAX = _client.STARTED_MAX, 8
        try:
            other = self.daemon.connect()
            jobs = [other.submit("sum", range(n)) for n in range(40)]
            self.assertEqual([job.result() for job in jobs], [sum(range(n)) for n in range(40)])
            other.close()
        finally:
            _client.STARTED_MAX = usual

    def test_a_command_has_variables_of_any_bytes(self):
        os.environb[b"TALLY_TEST_ODD"] = b"b\xffd"
        self.addCleanup(os.environb.pop, b"TALLY_TEST_ODD")
        script = "test \"$TALLY_TEST_ODD\" = \"$(printf 'b\\377d')\" && echo 7"
        self.assertEqual(self.client.sum("0..1", command=["sh", "-c", script, "{start}"]), 7)

    def test_status_workers_metrics(self):
        self.assertEqual(self.client.status()["slots"], 2)
        self.assertEqual(len(self.client.workers()), 2)
        self.assertTrue(self.client.metrics().endswith("# EOF\n"))
        self.client.ping()


class Daemons(unittest.TestCase):
    def test_a_daemon_ends_with_its_block(self):
        with tally.Daemon(1) as daemon:
            pid, directory = daemon.pid, os.path.dirname(daemon.socket)
            with daemon.connect() as client:
                self.assertEqual(client.sum(range(4)), 6)
            self.assertTrue(is_alive(pid))
        self.assertFalse(is_alive(pid) or os.path.exists(directory))

    def test_a_daemon_ends_with_a_process_that_is_killed(self):
        program = """if True:
            import os, sys, tally
            daemon = tally.Daemon(2)
            job = daemon.connect().submit("sum", "0..1e15", of="i * i % 7")
            print(daemon.pid, daemon.socket, flush=True)
            sys.stdin.read()
            """
        environment = {**os.environ, "PYTHONPATH": os.path.dirname(HERE)}
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )
        pid, socket = process.stdout.readline().split()
        client = tally.connect(socket)
        workers = [one["pid"] for one in client.workers() if "pid" in one]
        process.kill()
        process.wait()
        ended(pid, *workers)
        with self.assertRaises(tally.SupervisorGone):
            client.ping()
        process.stdin.close()
        process.stdout.close()
        self.assertFalse(os.path.exists(os.path.dirname(socket)))

    def test_a_daemon_that_does_not_start_says_why(self):
        with self.assertRaises(tally.SystemFailure) as caught:
            tally.Daemon(1, options=["--nonsense"])
        self.assertIn("--nonsense", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
