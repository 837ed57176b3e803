"""The seed's program with an executor of processes and a manager's queue; the end, and the start if it is not 0, are
arguments."""
import concurrent.futures
import multiprocessing
import sys


def child_process(start, end, queue):
    total = 0
    for i in range(start, end):
        total += i
    queue.put(total)


def main():
    manager = multiprocessing.Manager()
    queue = manager.Queue()

    start = int((sys.argv + ["0"])[2])
    end = int(sys.argv[1])
    workers = multiprocessing.cpu_count()

    childs = []
    with concurrent.futures.ProcessPoolExecutor(max_workers=workers) as executor:
        step = max(1, -((start - end) // workers))
        for i in range(start, end, step):
            childs.append(executor.submit(child_process, i, min(i + step, end), queue))
    concurrent.futures.wait(childs)

    total = 0
    while not queue.empty():
        total += queue.get()
    print(f"Result: {total}")


if __name__ == "__main__":
    main()
