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
    return sum(range(start, end))


def fold_pair(pair):
    return fold(*pair)


def partitions(workers, rounds):
    """A kernel that is fed a partition at a time, its start included, beside a call for each."""
    count, size = 4_000, 100
    command = [sys.executable, os.path.abspath(__file__), "--kernel"]
    ranges = [(n * size, (n + 1) * size) for n in range(count)]
    ours, theirs = [], []
    os.environ["PYTHONPATH"] = os.path.dirname(os.path.dirname(tally.__file__))
    with tally.Daemon(workers) as daemon, daemon.connect() as client, ProcessPoolExecutor(workers) as executor:
        list(executor.map(fold_pair, ranges[:100]))
        for _ in range(rounds):
            start = time.perf_counter()
            answer = client.sum(range(count * size), command=command, partitions=count)
            between = time.perf_counter()
            assert sum(executor.map(fold_pair, ranges)) == answer
            ours.append((between - start) / count * 1e6)
            theirs.append((time.perf_counter() - between) / count * 1e6)
    tell("`@tally.kernel`, 100 numbers a partition", ours, theirs)


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
    partitions(workers, rounds)


if __name__ == "__main__":
    if sys.argv[1:] == ["--kernel"]:
        del sys.argv[1:]
        tally.main()
    main(*[int(word) for word in sys.argv[1:]] + [2, 7][len(sys.argv) - 1 :])
