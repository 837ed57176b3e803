#!/usr/bin/env python3
"""A kernel that lives on, in Python: the sum of the squares of a partition.

    tally sum 0..10000 --command 'python3 squares.py'

Integers of Python have any size, and so have those of an answer. `flush=True` matters: without it the answer stays in
a buffer, and both sides wait. With the package `tally`, `@tally.kernel` does all of this.
"""
import sys

for line in sys.stdin:
    start, end, partition, attempt = map(int, line.split())
    print(sum(i * i for i in range(start, end)), flush=True)
