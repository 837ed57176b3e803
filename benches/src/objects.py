"""What CPython's Manager does in a second, for one client: dict sets, and a put and a get of a queue."""
import multiprocessing
import time

COUNT = 5_000


def rate(count, work):
    begun = time.perf_counter()
    work()
    return count / (time.perf_counter() - begun)


def sets(shared):
    for number in range(COUNT):
        shared[f"k{number}"] = number


def put_and_get(queue):
    for number in range(COUNT):
        queue.put(number)
        queue.get()


if __name__ == "__main__":
    with multiprocessing.Manager() as manager:
        shared, queue = manager.dict(), manager.Queue()
        sets(shared)
        print(rate(COUNT, lambda: sets(shared)), rate(COUNT, lambda: put_and_get(queue)))
