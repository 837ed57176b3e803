"""Prints the right answers of tests/files.rs, from Python's integers and fractions alone: `python3 tests/data/files.py`."""
import math, struct
from fractions import Fraction as F

M = 2**64 - 1


def words(seed):
    """SplitMix64, as in the test."""
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & M
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
        yield z ^ (z >> 31)


def near(q):
    return q.numerator / q.denominator


w = words(7)
rows = []
for n in range(4000):
    word = next(w)
    bits = (word & (1 << 63)) | ((723 + (word >> 52 & 0x7FF) % 601) << 52) | (word & ((1 << 52) - 1))
    x = struct.unpack("<d", struct.pack("<Q", bits))[0]
    rows.append((x, next(w) - 2**63, n % 5))

xs = [F(x) for x, _, _ in rows]
print("sum", repr(near(sum(xs))))
print("mean", repr(near(sum(xs) / len(xs))))
print("min", repr(min(x for x, _, _ in rows)))
print("max", repr(max(x for x, _, _ in rows)))
print("integers", sum(i for _, i, _ in rows))
print("squares", sum(i * i for _, i, _ in rows))
for key in range(5):
    print("group", key, repr(near(sum((F(x) for x, _, k in rows if k == key), F(0)))))
