"""What a call costs: tally.Executor beside ProcessPoolExecutor, in turns, in one run.

``python python/bench/calls.py [WORKERS] [ROUNDS]``; the program tally is found as the package finds it. A call adds one.
Figures are medians of the rounds; the ratio is that of two neighbours, so a busy machine moves both.
"""

import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import tally  # noqa: E402


def add_one(n):
    return n + 1


@tally.kernel
def fold(start, end):
    """A call of Python for each number, as the executor makes one."""
    return sum(add_one(n) for n in range(start, end))


def fold_pair(pair):
    return fold(*pair)


def kernels(workers, rounds):
    """A kernel that is fed a partition at a time, its start included, beside a pool that has been started.

    A call for each partition; then a call for each number, of which as many make a partition as make a chunk.
    """
    command = [sys.executable, os.path.abspath(__file__), "--kernel"]
    os.environ["PYTHONPATH"] = os.path.dirname(os.path.dirname(tally.__file__))
    with tally.Daemon(workers) as daemon, daemon.connect() as client, ProcessPoolExecutor(workers) as executor:
        list(executor.map(add_one, range(100)))
        for name, size, count, calls, theirs in [
            ("a partition a call, of 1 number", 1, 4_000, 4_000, None),
            ("a partition a call, of 100 numbers", 100, 4_000, 4_000, None),
            ("partitions of 10 numbers, `map` of chunksize 10", 10, 4_000, 40_000, 10),
            ("partitions of 100 numbers, `map` of chunksize 100", 100, 4_000, 400_000, 100),
        ]:
            numbers = range(count * size)
            ranges = [(at, at + size) for at in numbers[::size]]

            def ours(numbers=numbers, count=count):
                return client.sum(numbers, command=command, partitions=count)

            def pool(numbers=numbers, ranges=ranges, chunksize=theirs):
                if chunksize is None:
                    return sum(executor.map(fold_pair, ranges))
                return sum(executor.map(add_one, numbers, chunksize=chunksize))

            took = {ours: [], pool: []}
            for number in range(rounds):
                for side in (ours, pool) if number % 2 else (pool, ours):
                    start = time.perf_counter()
                    assert side() == sum(numbers) + len(numbers)
                    took[side].append((time.perf_counter() - start) / calls * 1e6)
            tell(f"`@tally.kernel`, {name}", took[ours], took[pool])


def tell(name, ours, theirs):
    ratios = [one / other for one, other in zip(ours, theirs)]
    print(
        f"| {name} | {statistics.median(ours):.1f} | {statistics.median(theirs):.1f} | "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |",
        flush=True,
    )


def mapped(calls, chunksize):
    def measure(executor):
        assert sum(executor.map(add_one, range(calls), chunksize=chunksize)) == calls * (calls + 1) // 2

    return calls, measure


def submitted(calls):
    def measure(executor):
        futures = [executor.submit(add_one, n) for n in range(calls)]
        assert sum(one.result() for one in futures) == calls * (calls + 1) // 2

    return calls, measure


def one_by_one(calls):
    def measure(executor):
        for n in range(calls):
            assert executor.submit(add_one, n).result() == n + 1

    return calls, measure


MEASURES = {
    "map, chunksize 1": mapped(4_000, 1),
    "map, chunksize 10": mapped(40_000, 10),
    "map, chunksize 100": mapped(200_000, 100),
    "submit, then all results": submitted(4_000),
    "submit and wait, one by one": one_by_one(2_000),
}


def main(workers, rounds):
    print(
        f"{workers} workers, {rounds} rounds, Python {sys.version.split()[0]}, {os.cpu_count()} processors, "
        f"load {os.getloadavg()[0]:.0f}"
    )
    print("| | tally: us a call | ProcessPoolExecutor: us a call | ratio, least and greatest |")
    print("|---|---|---|---|")
    with tally.Executor(workers) as ours, ProcessPoolExecutor(workers) as theirs:
        for executor in (ours, theirs):
            list(executor.map(add_one, range(100)))
        for name, (calls, measure) in MEASURES.items():
            took = {ours: [], theirs: []}
            for number in range(rounds):
                for executor in (ours, theirs) if number % 2 else (theirs, ours):
                    start = time.perf_counter()
                    measure(executor)
                    took[executor].append((time.perf_counter() - start) / calls * 1e6)
            tell(name, took[ours], took[theirs])
    kernels(workers, rounds)


if __name__ == "__main__":
    if sys.argv[1:] == ["--kernel"]:
        del sys.argv[1:]
        tally.main()
    main(*[int(word) for word in sys.argv[1:]] + [2, 7][len(sys.argv) - 1 :])
