"""The seed's program with two processes and a queue; the end, and the start if it is not 0, are arguments."""
import sys
from multiprocessing import Process, Queue


def work(id, start, end, result):
    total = 0
    for i in range(start, end):
        total += i
    result.put(total)
    return


if __name__ == "__main__":
    START, END = int((sys.argv + ["0"])[2]), int(sys.argv[1])
    MIDDLE = (START + END) // 2
    result = Queue()
    th1 = Process(target=work, args=(1, START, MIDDLE, result))
    th2 = Process(target=work, args=(2, MIDDLE, END, result))

    th1.start()
    th2.start()
    th1.join()
    th2.join()

    result.put("STOP")
    total = 0
    while True:
        tmp = result.get()
        if tmp == "STOP":
            break
        else:
            total += tmp
    print(f"Result: {total}")
