"""The seed's program with two threads; the end, and the start if it is not 0, are arguments."""
import sys
from threading import Thread


def work(id, start, end, result):
    total = 0
    for i in range(start, end):
        total += i
    result.append(total)
    return


if __name__ == "__main__":
    START, END = int((sys.argv + ["0"])[2]), int(sys.argv[1])
    MIDDLE = (START + END) // 2
    result = list()
    th1 = Thread(target=work, args=(1, START, MIDDLE, result))
    th2 = Thread(target=work, args=(2, MIDDLE, END, result))

    th1.start()
    th2.start()
    th1.join()
    th2.join()

    print(f"Result: {sum(result)}")
