"""Hosted objects and locks against a real daemon, from threads and from processes that die."""

import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import threading
import unittest

from support import HERE, WithDaemon, tally, until


class Objects(WithDaemon):
    def test_a_value(self):
        value = self.client.value("v")
        self.assertEqual((value.get(), value.get(7)), (None, 7))
        self.assertEqual([value.add(), value.add(41), value.add(0.5)], [1, 42, 42.5])
        value.value = 10**40
        self.assertEqual(value.add(1), 10**40 + 1)
        self.assertTrue(value.cas(10**40 + 1, "text"))
        self.assertFalse(value.cas("other", "never"))
        self.assertFalse(value.cas(None, "never"))
        self.assertEqual(value.value, "text")
        value.remove()
        value.remove()
        self.assertTrue(value.cas(None, b"\0"))
        self.assertEqual(value.get(), b"\0")
        with self.assertRaises(TypeError):
            value.set(None)

    def test_a_dict_is_a_mapping(self):
        shared = self.client.dict("d")
        self.assertEqual((len(shared), list(shared), dict(shared), "a" in shared), (0, [], {}, False))
        shared["b"] = 2
        shared.update({"a": 1.5}, c="x")
        self.assertEqual(dict(shared), {"a": 1.5, "b": 2, "c": "x"})
        self.assertEqual((shared.keys(), shared.values()), (["a", "b", "c"], [1.5, 2, "x"]))
        self.assertEqual((shared.get("q"), shared.get("q", 3), shared["b"]), (None, 3, 2))
        self.assertEqual((shared.setdefault("b", 9), shared.setdefault("z", 9)), (2, 9))
        self.assertEqual((shared.add("n"), shared.add("n", 2)), (1, 3))
        self.assertTrue(shared.cas("n", 3, 4) and shared.cas("new", None, 1))
        self.assertFalse(shared.cas("n", 3, 5) or shared.cas("new", None, 2))
        self.assertEqual((shared.pop("n"), shared.pop("n", "gone")), (4, "gone"))
        del shared["z"]
        for missing in (lambda: shared["z"], lambda: shared.pop("z"), lambda: shared.__delitem__("z")):
            with self.assertRaises(KeyError):
                missing()
        with self.assertRaises(TypeError):
            shared[1] = 2
        many = {f"key {n:05}": "x" * 500 for n in range(5000)}
        shared.clear()
        shared.update(many)
        self.assertEqual((len(shared), dict(shared.items()) == many, list(shared) == list(many)), (5000, True, True))

    def test_a_list(self):
        shared = self.client.list("l")
        self.assertEqual((len(shared), list(shared)), (0, []))
        shared.extend([1, 2.5, "three"])
        shared.append(b"4")
        shared.appendleft(0)
        self.assertEqual(list(shared), [0, 1, 2.5, "three", b"4"])
        self.assertEqual((shared[0], shared[-1], shared[1:3]), (0, b"4", [1, 2.5]))
        shared[1] = "one"
        self.assertEqual((shared.pop(), shared.pop(0), shared[0]), (b"4", 0, "one"))
        with self.assertRaises(IndexError):
            shared[9]
        with self.assertRaises(IndexError):
            self.client.list("nothing").pop()
        shared.extend("y" * 500 for _ in range(5000))
        self.assertEqual((len(shared), sum(1 for one in shared if one == "y" * 500)), (5003, 5000))

    def test_a_queue(self):
        work = self.client.queue("q", capacity=3)
        self.assertTrue(work.empty())
        with self.assertRaises(queue.Empty):
            work.get(block=False)
        work.put_many([1, 2])
        work.put("three")
        with self.assertRaises(queue.Full):
            work.put(4, timeout=0.01)
        self.assertEqual((work.qsize(), work.get()), (3, 1))
        with work.work() as item:
            self.assertEqual(item, 2)
        with self.assertRaises(ZeroDivisionError):
            with work.work() as item:
                raise ZeroDivisionError(item)
        taken = work.work()
        self.assertEqual((taken.value, taken.deliveries), ("three", 2))
        taken.ack()
        with self.assertRaises(queue.Empty):
            work.work(timeout=0)
        work.close()
        with self.assertRaises(tally.Closed):
            work.put(5)
        with self.assertRaises(tally.Closed):
            work.get()

    def test_dead_items_are_put_aside(self):
        work = self.client.queue("poison", deliveries=2)
        work.put("bad")
        for _ in range(2):
            work.work().give_back()
        self.assertEqual((work.qsize(), work.dead()), (0, ["bad"]))
        work.revive()
        self.assertEqual((work.get(), work.dead()), ("bad", []))

    def test_an_item_of_a_dead_process_comes_back(self):
        work = self.client.queue("risky")
        work.put("item")
        process = multiprocessing.get_context("fork").Process(target=take_and_die, args=(self.daemon.socket,))
        process.start()
        process.join()
        self.assertEqual(process.exitcode, -signal.SIGKILL)
        with work.work(timeout=30) as item:
            self.assertEqual(item, "item")

    def test_an_event_and_a_barrier(self):
        event = self.client.event("e")
        self.assertFalse(event.is_set() or event.wait(0.01))
        heard = []
        thread = threading.Thread(target=lambda: heard.append(event.wait()))
        thread.start()
        event.set()
        thread.join()
        self.assertTrue(heard == [True] and event.is_set())
        event.clear()
        self.assertFalse(event.is_set())

        barrier = self.client.barrier("b", 3)
        places = []
        threads = [threading.Thread(target=lambda: places.append(barrier.wait())) for _ in range(2)]
        for thread in threads:
            thread.start()
        until(lambda: barrier.n_waiting == 2, "two who wait")
        places.append(barrier.wait())
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(places), [0, 1, 2])
        with self.assertRaises(threading.BrokenBarrierError):
            barrier.wait(timeout=0.01)
        self.assertTrue(barrier.broken)
        barrier.reset()
        self.assertFalse(barrier.broken)

    def test_statistics(self):
        stats = self.client.stats("s")
        self.assertEqual(stats.get(), {})
        stats.add(1e100, 1, -1e100)
        stats.add(2)
        self.assertEqual(stats.get(), {"count": 4, "sum": 3.0, "min": -1e100, "max": 1e100, "mean": 0.75})
        stats.add(float("nan"))
        self.assertEqual((stats.get()["count"], stats.get()["skipped"]), (4, 1))
        stats.reset()
        stats.add(7)
        self.assertEqual(stats.get()["sum"], 7)

    def test_a_transaction_is_all_or_nothing(self):
        one, other = self.client.value("one"), self.client.value("other")
        one.set(100)
        moved = {"type": "integer", "value": "30"}
        back = {"type": "integer", "value": "-30"}
        self.client.transact(one.operation("add", value=back), other.operation("add", value=moved))
        self.assertEqual((one.get(), other.get()), (70, 30))
        with self.assertRaises(tally.TallyError):
            self.client.transact(one.operation("add", value=back), self.client.list("one").operation("len"))
        self.assertEqual(one.get(), 70)

    def test_a_read_modify_write_loses_nothing(self):
        counted = self.client.value("counted")
        threads = [threading.Thread(target=lambda: [counted.add() for _ in range(200)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(counted.get(), 800)
        self.assertIn("counted", [one["object"] for one in self.client.objects()])


def take_and_die(socket):
    work = tally.connect(socket).queue("risky").work()
    assert work.value == "item"
    os.kill(os.getpid(), signal.SIGKILL)


class Locks(WithDaemon):
    def test_a_lock_is_held_in_its_block(self):
        lock, other = self.client.lock("a"), self.client.lock("a")
        with lock as grant:
            self.assertTrue(grant.held)
            fence = grant.fence
            self.assertEqual([one["name"] for one in self.client.locks()], ["a"])
            self.assertFalse(other.acquire(blocking=False))
        with other:
            self.assertGreater(other.fence, fence)
        with self.assertRaises(RuntimeError):
            other.release()
        self.assertRaises(RuntimeError, lambda: other.fence)

    def test_a_thread_that_would_wait_for_itself_is_refused(self):
        with self.client.lock("self"):
            with self.assertRaises(tally.Deadlock):
                self.client.lock("self").acquire()

    def test_timeouts(self):
        held, done = threading.Event(), threading.Event()

        def hold():
            with self.client.lock("t"):
                held.set()
                done.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        self.assertFalse(self.client.lock("t").acquire(timeout=0.01))
        with self.assertRaises(tally.TimedOut):
            with self.client.lock("t", timeout=0.01):
                pass
        with self.assertRaises(tally.Busy):
            with self.client.lock("t", timeout=0):
                pass
        done.set()
        thread.join()
        with self.client.lock("t", timeout=30):
            pass

    def test_threads_exclude_each_other(self):
        inside = []
        most = []

        def enter():
            for _ in range(20):
                with self.client.lock("mutex"):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()

        threads = [threading.Thread(target=enter) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((max(most), len(most)), (1, 80))

    def test_readers_and_permits(self):
        with self.client.lock("r", shared=True), self.client.lock("r", shared=True):
            pass
        with self.client.semaphore("s", 3, take=2):
            with self.client.semaphore("s", 3, timeout=0):
                pass
            self.assertFalse(self.client.semaphore("s", 3, take=2).acquire(blocking=False))
        with self.assertRaises(TypeError):
            self.client.lock("r", take=2)

    def test_a_cycle_of_threads_is_refused(self):
        first, both = threading.Event(), threading.Event()
        refused = []

        def other():
            with self.client.lock("y"):
                both.set()
                first.wait()
                try:
                    with self.client.lock("x"):
                        pass
                except tally.Deadlock as why:
                    refused.append(why)

        thread = threading.Thread(target=other)
        with self.client.lock("x"):
            thread.start()
            both.wait()
            self.assertEqual(len(self.client.locks()), 2)
            first.set()
            try:
                with self.client.lock("y"):
                    pass
            except tally.Deadlock as why:
                refused.append(why)
        thread.join()
        self.assertEqual(len(refused), 1)
        self.assertEqual(len(refused[0].details["deadlock"]["edges"]), 2)

    def test_a_lock_of_a_killed_process_is_free(self):
        program = "import sys, tally; lock = tally.connect().lock('k'); lock.acquire(); print('held', flush=True); sys.stdin.read()"
        environment = {**os.environ, "TALLY_SOCKET": self.daemon.socket, "PYTHONPATH": os.path.dirname(HERE)}
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self.assertEqual(process.stdout.readline(), b"held\n")
        self.assertFalse(self.client.lock("k").acquire(blocking=False))
        process.kill()
        with self.client.lock("k", timeout=30):
            pass
        process.communicate()

    def test_a_forked_child_does_not_keep_the_lock(self):
        lock = self.client.lock("f")
        lock.acquire()
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            # Lives until the parent lets go of the pipe; nothing of the test runner runs here.
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        os.close(read)
        lock.release()
        self.assertTrue(self.client.lock("f").acquire(blocking=False))
        os.close(write)
        os.waitpid(child, 0)


if __name__ == "__main__":
    unittest.main()
