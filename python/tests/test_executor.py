"""``Executor``: what CPython's own tests do not ask, above all what happens when processes die."""

import concurrent.futures
import gc
import multiprocessing
import multiprocessing.shared_memory
import os
import queue
import random
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest
from concurrent.futures.process import BrokenProcessPool

import calls
from support import HERE, Bell, Gate, WithDaemon, ended, is_alive, tally


def started(directory, text, environment):
    """A program in a file of its own, started with its output at hand."""
    path = os.path.join(directory, "program.py")
    with open(path, "w") as out:
        out.write(textwrap.dedent(text))
    paths = os.pathsep.join([os.path.dirname(HERE), HERE])
    return subprocess.Popen(
        [sys.executable, path],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Shared(WithDaemon):
    workers = 8

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def executor(self, workers=2, **options):
        executor = tally.Executor(workers, socket=self.daemon.socket, **options)
        self.addCleanup(executor.shutdown)
        return executor

    def script(self, text, **environment):
        return started(self.directory.name, text, {"TALLY_SOCKET": self.daemon.socket, **environment})

    def path(self, name="file"):
        return os.path.join(self.directory.name, name)

    def bell(self):
        bell = Bell(self.path("bell"))
        self.addCleanup(bell.close)
        return bell


class Deaths(Shared):
    def test_a_call_whose_worker_dies_is_lost_alone(self):
        executor = self.executor()
        before = [executor.submit(calls.square, n) for n in range(20)]
        lost = executor.submit(calls.die)
        after = [executor.submit(calls.square, n) for n in range(20)]
        with self.assertRaises(BrokenProcessPool) as caught:
            lost.result()
        self.assertIs(type(caught.exception), tally.BrokenWorker)
        self.assertFalse(is_alive(caught.exception.pid))
        self.assertIn("SIGKILL", str(caught.exception))
        self.assertEqual([one.result() for one in before + after], [n * n for n in range(20)] * 2)
        self.assertEqual(executor.submit(calls.square, 9).result(), 81)

    def test_a_forked_child_never_answers(self):
        executor = self.executor(2)
        for how in (calls.fork_and_return, calls.fork_and_raise):
            numbers = list(range(100))
            self.assertEqual(list(executor.map(how, numbers)), numbers)

    def test_how_it_died_is_said(self):
        executor = self.executor(1)
        for call, said in [
            ((calls.die, signal.SIGSEGV), "SIGSEGV"),
            ((calls.leave, 3), "3"),
        ]:
            with self.assertRaises(tally.BrokenWorker) as caught:
                executor.submit(*call).result()
            self.assertIn(said, str(caught.exception))

    def test_a_retry_is_made_where_it_is_allowed(self):
        executor = self.executor()
        self.assertEqual(executor.retrying(1).submit(calls.die_at_first, self.path("a"), "lived").result(), "lived")
        with self.assertRaises(tally.BrokenWorker):
            executor.submit(calls.die_at_first, self.path("b"), "lived").result()
        with self.assertRaises(tally.BrokenWorker):
            executor.retrying(2).submit(calls.die).result()
        self.assertEqual(
            list(executor.retrying(1).map(calls.die_at_first_of, [self.path("c")] * 20, range(20), chunksize=5)),
            list(range(20)),
        )
        always = self.executor(retries=1)
        self.assertEqual(always.submit(calls.die_at_first, self.path("d"), 4).result(), 4)
        for bad in (-1, 1.5):
            with self.assertRaises(ValueError):
                executor.retrying(bad)

    def test_many_deaths_lose_many_calls_and_no_other(self):
        executor = self.executor(4)
        randomly = random.Random(6)
        chosen = [randomly.random() < 0.2 for _ in range(60)]
        futures = [
            executor.submit(calls.die) if dies else executor.submit(calls.square, n) for n, dies in enumerate(chosen)
        ]
        for n, (future, dies) in enumerate(zip(futures, chosen)):
            if dies:
                self.assertIsInstance(future.exception(), tally.BrokenWorker)
            else:
                self.assertEqual(future.result(), n * n)

    def test_workers_killed_from_outside_are_replaced(self):
        executor = self.executor(2)
        bell, never = self.bell(), Gate(self.path("never"))
        self.addCleanup(never.open)
        for _ in range(5):
            busy = [executor.submit(calls.wait_at, never.path, bell.path) for _ in range(2)]
            bell.hear(2)
            self.assertTrue(all(one.running() for one in busy))
            for worker in list(executor._processes.values()):
                worker.kill()
            self.assertTrue(all(isinstance(one.exception(), tally.BrokenWorker) for one in busy))
        self.assertEqual(list(executor.map(calls.square, range(9))), [n * n for n in range(9)])

    def test_a_worker_killed_while_idle_takes_no_call_along(self):
        executor = self.executor(1)
        for n in range(8):
            worker = executor.submit(calls.pid).result()
            os.kill(worker, signal.SIGKILL)
            self.assertEqual(executor.submit(calls.square, n).result(), n * n)

    def test_a_call_that_no_worker_reads_is_given_up_at_last(self):
        for deaths in (3, 4):
            executor = self.executor(1, initializer=calls.end_before_reading, initargs=(self.path(), deaths))
            future = executor.submit(calls.square, 3)
            if deaths == 3:
                self.assertEqual(future.result(), 9)
            else:
                self.assertIsInstance(future.exception(), tally.BrokenWorker)
                self.assertEqual(executor.submit(calls.square, 4).result(), 16)
            os.remove(self.path())

    def test_kill_workers_ends_what_runs_and_not_what_waits(self):
        executor = self.executor(1)
        bell = self.bell()
        stuck = executor.submit(calls.burn, bell.path)
        waiting = executor.submit(calls.square, 5)
        bell.hear()
        executor.kill_workers()
        self.assertIsInstance(stuck.exception(), tally.BrokenWorker)
        self.assertEqual(waiting.result(), 25)

    def test_a_call_after_kill_workers_goes_to_none_of_them(self):
        executor = self.executor(2)
        for n in range(20):
            self.assertEqual(executor.submit(calls.square, n).result(), n * n)
            executor.kill_workers()

    def test_workers_killed_while_they_start_are_started_again(self):
        executor = self.executor(8)
        futures = [executor.submit(calls.square, n) for n in range(16)]
        for _ in range(3):
            executor.kill_workers()
        for n, future in enumerate(futures):
            error = future.exception()
            self.assertTrue(isinstance(error, tally.BrokenWorker) or future.result() == n * n, error)
        self.assertEqual(executor.submit(calls.square, 9).result(), 81)

    def test_what_a_call_has_started_ends_with_the_executor(self):
        executor = self.executor(1)
        children = [executor.submit(calls.pid_of_child_that_sleeps, leaves).result() for leaves in (False, True)]
        self.assertTrue(all(map(is_alive, children)))
        executor.shutdown()
        ended(*children)

    def test_processes_end_with_an_executor_that_is_killed(self):
        process = self.script(
            """
            import calls, sys, tally
            if __name__ == "__main__":
                executor = tally.Executor(2)
                idle = executor.submit(calls.pid).result()
                child = executor.submit(calls.pid_of_child_that_sleeps, True).result()
                executor.submit(calls.burn)
                executor.submit(calls.square, 1).result()
                print(idle, child, *[one.pid for one in executor._processes.values()], flush=True)
                sys.stdin.read()
            """,
        )
        pids = process.stdout.readline().split()
        self.assertTrue(len(pids) == 4 and all(map(is_alive, pids)), process.stderr.read() if not pids else pids)
        process.kill()
        process.communicate()
        ended(*pids)


class Like(Shared):
    """As ``ProcessPoolExecutor``, where its tests do not look."""

    def test_what_workers_print_goes_where_ours_goes(self):
        process = self.script(
            """
            import calls, tally
            if __name__ == "__main__":
                with tally.Executor(1) as executor:
                    executor.submit(calls.print_and_write, "hello").result()
            """,
        )
        out, err = process.communicate()
        self.assertEqual(sorted(out.split("\n")), ["", "hello", "hello by descriptor"])
        self.assertEqual(err, "hello to stderr\n")

    def test_functions_of_the_main_script(self):
        process = self.script(
            """
            import tally
            def triple(x):
                return 3 * x
            if __name__ == "__main__":
                with tally.Executor(2) as executor:
                    print(list(executor.map(triple, range(4))), executor.submit(triple, "a").result())
            """,
        )
        self.assertEqual(process.communicate(), ("[0, 3, 6, 9] aaa\n", ""))

    def test_a_main_script_without_guard_is_told_so(self):
        process = self.script(
            "import tally\nwith tally.Executor(1) as executor:\n    executor.submit(print, 1).result()\n"
        )
        _, err = process.communicate()
        self.assertEqual(process.returncode, 1)
        self.assertIn("if __name__ == '__main__':", err)
        self.assertIn("BrokenProcessPool: a worker could not begin, it could not be prepared", err)

    def test_shutdown_without_waiting_does_not_hang_at_exit(self):
        process = self.script(
            """
            import calls, tally
            if __name__ == "__main__":
                executor = tally.Executor(3)
                executor.submit(calls.print_and_write, "apple")
                executor.shutdown(wait=False)
            """,
        )
        out, _ = process.communicate()
        self.assertIn("apple", out)
        self.assertEqual(process.returncode, 0)

    def test_a_private_daemon_where_there_is_none(self):
        process = self.script(
            """
            import calls, tally
            from tally import _place
            # There may be one on this machine.
            _place.search = lambda socket=None: (None, False)
            if __name__ == "__main__":
                with tally.Executor(2) as executor:
                    print(executor.submit(calls.square, 7).result(), executor._pool.crew._daemon.pid)
            """,
            TALLY_SOCKET="",
        )
        out, err = process.communicate()
        self.assertEqual(err, "")
        answer, daemon = out.split()
        self.assertEqual(answer, "49")
        self.assertFalse(is_alive(daemon))

    def test_nothing_is_left_of_a_private_daemon_whose_program_is_killed(self):
        process = self.script(
            """
            import tally, sys
            if __name__ == "__main__":
                daemon = tally.Daemon(workers=1)
                print(daemon.pid, daemon.socket, flush=True)
                sys.stdin.read()
            """,
        )
        pid, socket = process.stdout.readline().split()
        directory = os.path.dirname(socket)
        self.assertTrue(os.path.isdir(directory))
        process.kill()
        process.communicate()
        ended(pid)
        self.assertFalse(os.path.exists(directory))

    def test_a_daemon_that_is_named_must_be_there(self):
        with self.assertRaises(tally.NoDaemon):
            tally.Executor(1, socket=self.path("nobody")).submit(calls.pid)

    def test_the_initializer_gets_what_only_travels_by_inheritance(self):
        context = multiprocessing.get_context("spawn")
        shared = context.Queue()
        executor = self.executor(2, initializer=calls.keep, initargs=(shared,))
        self.assertEqual(list(executor.map(calls.put_into_kept, range(6))), list(range(6)))
        self.assertEqual(sorted(shared.get(timeout=60) for _ in range(6)), list(range(6)))
        shared.close()
        shared.join_thread()

    def test_the_initializer_runs_in_every_process(self):
        executor = self.executor(1, initializer=calls.initialize, initargs=(1, 2), max_tasks_per_child=2)
        self.assertEqual([executor.submit(calls.state).result() for _ in range(5)], [[1, 2]] * 5)

    def test_an_initializer_that_fails_breaks_the_executor(self):
        executor = self.executor(2, initializer=calls.fail_to_initialize)
        with self.assertRaises(BrokenProcessPool) as caught:
            executor.submit(calls.pid).result()
        self.assertIn("ValueError: no luck", str(caught.exception))
        with self.assertRaises(BrokenProcessPool):
            executor.submit(calls.pid)

    def test_a_process_has_as_many_calls_as_it_may(self):
        executor = self.executor(2, max_tasks_per_child=3)
        pids = [one.result() for one in [executor.submit(calls.pid) for _ in range(30)]]
        self.assertTrue(all(pids.count(pid) <= 3 for pid in pids), pids)
        ended(*(pid for pid in set(pids) if pids.count(pid) == 3))
        self.assertLessEqual(sum(map(is_alive, set(pids))), 2)

    def test_exceptions_that_do_not_travel_are_told_by_their_text(self):
        executor = self.executor(1)
        with self.assertRaises(tally.BrokenWorker) as caught:
            executor.submit(calls.raise_unpicklable).result()
        self.assertIn("1 and 2", str(caught.exception))
        with self.assertRaises(TypeError):
            executor.submit(threading.Lock).result()
        first = executor.submit(calls.pid).result()
        self.assertEqual(executor.submit(calls.pid).result(), first)

    def test_an_exception_that_cannot_be_pickled_is_the_error_that_pickling_it_is(self):
        executor = self.executor(1)
        first = executor.submit(calls.pid).result()
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as other:
            for call, said in [
                (calls.raise_with_lock, "WithLock"),
                (calls.raise_local, "a class of nobody's"),
                (calls.raise_what_raises_itself, "bad luck"),
            ]:
                error = executor.submit(call).exception()
                self.assertNotIsInstance(error, BrokenProcessPool)
                # What it was, and where, the traceback says.
                self.assertIn(said, str(error.__cause__))
                self.assertIn(f"in {call.__name__}\n", str(error.__cause__))
                # The last one ends the other's process.
                if call is not calls.raise_what_raises_itself:
                    theirs = other.submit(call).exception()
                    self.assertEqual((type(error), str(error)), (type(theirs), str(theirs)))
        self.assertEqual(executor.submit(calls.pid).result(), first)

    def test_large_arguments_and_results(self):
        executor = self.executor(2)
        data = b"y" * (20 << 20)
        futures = [executor.submit(calls.length, data) for _ in range(3)]
        self.assertEqual([one.result() for one in futures], [20 << 20] * 3)
        self.assertEqual(
            [len(one) for one in executor.map(calls.bytes_of, [1, 1 << 16, 30 << 20, 0])], [1, 1 << 16, 30 << 20, 0]
        )

    def test_connections_and_shared_memory_can_be_passed(self):
        executor = self.executor(1)
        ours, theirs = multiprocessing.Pipe()
        future = executor.submit(calls.receive, theirs)
        ours.send("hello")
        self.assertEqual(future.result(), "hello")
        ours.close()
        theirs.close()
        memory = multiprocessing.shared_memory.SharedMemory(create=True, size=16)
        try:
            memory.buf[0] = 77
            self.assertEqual(executor.submit(calls.first_of, memory.name).result(), 77)
            executor.shutdown()
            # The worker's end has not taken it away.
            self.assertTrue(os.path.exists(f"/dev/shm/{memory.name}"))
        finally:
            memory.close()
            memory.unlink()

    def test_pools_within_workers(self):
        self.assertEqual(self.executor(1).submit(calls.nested).result(), 36)

    def test_calls_that_wait_can_be_cancelled(self):
        executor = self.executor(1)
        executor.submit(calls.pid).result()
        gate, bell = Gate(self.path()), self.bell()
        running = executor.submit(calls.wait_at, gate.path, bell.path)
        bell.hear()
        waiting = [executor.submit(calls.square, n) for n in range(3)]
        self.assertTrue(waiting[1].cancel())
        self.assertFalse(running.cancel())
        gate.open()
        self.assertEqual((waiting[0].result(), waiting[2].result()), (0, 4))
        executor.shutdown()
        self.assertTrue(waiting[1].cancelled())
        # Those who wait for it hear of it.
        self.assertEqual(len(concurrent.futures.wait(waiting).done), 3)

    def test_shutdown_can_cancel_what_waits(self):
        executor = self.executor(1)
        executor.submit(calls.pid).result()
        gate, bell = Gate(self.path()), self.bell()
        running = executor.submit(calls.wait_at, gate.path, bell.path)
        bell.hear()
        waiting = [executor.submit(calls.square, n) for n in range(3)]
        executor.shutdown(wait=False, cancel_futures=True)
        gate.open()
        self.assertEqual(len(concurrent.futures.wait(waiting).done), 3)
        self.assertTrue(all(one.cancelled() for one in waiting) and running.result())
        with self.assertRaises(RuntimeError):
            executor.submit(calls.pid)

    def test_an_executor_that_nobody_has_ends(self):
        executor = tally.Executor(1, socket=self.daemon.socket)
        future = executor.submit(calls.square, 3)
        pool = executor._pool
        del executor
        gc.collect()
        self.assertEqual(future.result(), 9)
        pool.join(60)
        self.assertFalse(pool.is_alive())

    def test_many_threads_submit(self):
        executor = self.executor(2)
        answers = queue.Queue()

        def submit(base):
            for n in range(base, base + 100):
                answers.put(executor.submit(calls.square, n).result() == n * n)

        threads = [threading.Thread(target=submit, args=(1000 * n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([answers.get(timeout=60) for _ in range(600)], [True] * 600)

    def test_callbacks_may_submit_and_shut_down(self):
        executor = self.executor(1)
        heard = threading.Event()
        futures = []

        def again(future):
            futures.append(executor.submit(calls.square, future.result()))
            futures[0].add_done_callback(lambda _: (executor.shutdown(), heard.set()))

        executor.submit(calls.square, 3).add_done_callback(again)
        self.assertTrue(heard.wait(60))
        self.assertEqual(futures[0].result(), 81)

    def test_pickling_may_submit(self):
        executor = self.executor(1)
        self.assertEqual(executor.submit(calls.length, Submits(executor)).result(), 2)

    def test_a_forked_child_has_no_executor_and_keeps_none_alive(self):
        executor = self.executor(1)
        worker = executor.submit(calls.pid).result()
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            # Nothing of the test runner runs here.
            try:
                executor.submit(calls.pid)
            except BrokenProcessPool:
                os.write(write, b"refused")
            finally:
                os.close(write)
                os.kill(os.getpid(), signal.SIGSTOP)
                os._exit(0)
        os.close(write)
        self.assertEqual(os.read(read, 100), b"refused")
        executor.shutdown()
        ended(worker)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read)

    def test_more_workers_than_the_daemon_has(self):
        executor = self.executor(30)
        self.assertEqual(list(executor.map(calls.square, range(60))), [n * n for n in range(60)])

    def test_a_daemon_that_goes_away_breaks_the_executor(self):
        daemon = tally.Daemon(1)
        executor = tally.Executor(1, socket=daemon.socket)
        worker = executor.submit(calls.pid).result()
        bell = self.bell()
        lost = executor.submit(calls.burn, bell.path)
        bell.hear()
        daemon.stop()
        self.assertIsInstance(lost.exception(), BrokenProcessPool)
        with self.assertRaises(BrokenProcessPool):
            for _ in range(1000):
                executor.submit(calls.pid).result()
        executor.shutdown()
        ended(worker)


class Submits:
    """Pickling it needs the executor."""

    def __init__(self, executor):
        self.executor = executor

    def __reduce__(self):
        self.executor.submit(calls.square, 2)
        return tuple, ([1, 2],)


if __name__ == "__main__":
    unittest.main()
