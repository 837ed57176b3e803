"""The seed's program with one thread; the end is an argument and the unused second list is left out."""
import sys
from threading import Thread


def work(id, start, end, result):
    total = 0
    for i in range(start, end):
        total += i
    result.append(total)
    return


if __name__ == "__main__":
    START, END = 0, int(sys.argv[1])
    result = list()
    th1 = Thread(target=work, args=(1, START, END, result))

    th1.start()
    th1.join()

    print(f"Result: {sum(result)}")
