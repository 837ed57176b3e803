#!/usr/bin/env python3
"""A kernel that lives on, in Python with NumPy: the sum of the squares of a partition.

    tally sum 0..10000 --command 'python3 squares_numpy.py'

NumPy is imported once and serves all partitions, which is what a process that lives on is for. A partition is worked
on in blocks, so that memory does not grow with it. Each block's sum must fit into 64 bits: that of all of them is an
integer of Python.
"""
import sys

import numpy

BLOCK = 4096  # numbers below 2**25 have squares of which 4096 fit into 62 bits

for line in sys.stdin:
    start, end, partition, attempt = map(int, line.split())
    if max(abs(start), abs(end)) > 1 << 25:
        sys.exit("beyond 2**25 a sum of squares could overflow")
    total = 0
    for first in range(start, end, BLOCK):
        block = numpy.arange(first, min(first + BLOCK, end), dtype=numpy.int64)
        total += int(numpy.dot(block, block))
    print(total, flush=True)
