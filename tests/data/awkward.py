"""Writes awkward.jsonl, the table of tests/awkward.rs: awkward inputs and their right answers.

The answers come from Python's integers and fractions alone: `python3 tests/data/awkward.py > tests/data/awkward.jsonl`.
"""
import json, math, struct
from fractions import Fraction as F

CASES = []
INF, NAN = math.inf, math.nan


def text(x):
    """As tally prints: integers in full, floats as the shortest text that reads back."""
    return repr(x) if isinstance(x, float) else str(x)


def case(args, answer, file=None, data=None, others=""):
    CASES.append({"args": args, "answer": text(answer) if answer is not None else None, "fails": None,
                  "file": file, "hex": data.hex() if data is not None else None, "others": others})


def fails(args, part, file=None, data=None, others="", code=1):
    case(args, None, file, data, others)
    CASES[-1]["fails"] = part
    CASES[-1]["code"] = code


def near(q):
    """The float nearest to a fraction."""
    return q.numerator / q.denominator


def fsum(xs):
    return near(sum((F(x) for x in xs), F(0)))


def lines(xs):
    return ("".join(f"{text(x) if not isinstance(x, str) else x}\n" for x in xs)).encode()


def npy(descr, fmt, values):
    head = "{'descr': '%s', 'fortran_order': False, 'shape': (%d,), }" % (descr, len(values))
    head += " " * (63 - (10 + len(head)) % 64) + "\n"
    order = ">" if descr[0] == ">" else "<"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + struct.pack(f"{order}{len(values)}{fmt}", *values)


M = 2**63 - 1
# Integers never wrap.
for xs, who in [([M, M], "numpy, pandas, polars, arrow: -2"), ([-2**63, -1], ""),
                ([2**64 - 1, 1], ""), ([10**40, 1], "polars: an error"), ([-(10**39), 10**39 + 3], ""),
                ([2**53, 1], ""), ([2**53 + 1], "datamash: 9.007199254741e+15; mawk %d: 2147483647"), ([M], ""),
                ([int("1234567890" * 4)], ""), ([2**127 - 1, 1], ""), ([-2**127, -1], "")]:
    case(["sum", "f.txt"], sum(xs), "f.txt", lines(xs), who)
for e, f in [("i*i", lambda i: i * i), ("i**5", lambda i: i**5), ("-i // 7", lambda i: -i // 7), ("i % -7", lambda i: i % -7),
             ("-i % 7", lambda i: -i % 7), ("i << 70", lambda i: i << 70), ("-i >> 3", lambda i: -i >> 3), ("~i", lambda i: ~i),
             ("-i & 255", lambda i: -i & 255), ("i xor 85", lambda i: i ^ 85), ("i | 9", lambda i: i | 9), ("i*9223372036854775807", lambda i: i * M),
             ("abs(50-i)", lambda i: abs(50 - i)), ("if(i % 2 == 0, i, -i)", lambda i: i if i % 2 == 0 else -i),
             ("-i ** 2", lambda i: -i**2), ("2 ** i", lambda i: 2**i), ("min(i, 100-i)", lambda i: min(i, 100 - i)), ("i in (3, 5, 200)", lambda i: int(i in (3, 5, 200))),
             ("10 < i <= 20", lambda i: int(10 < i <= 20)), ("round(i / 2)", lambda i: round(F(i, 2)))]:
    case(["sum", "0..101", "--of", e], sum(f(i) for i in range(101)))
for e, f in [("i / 3", lambda i: i / 3), ("(i + 10**30) / 10**15", lambda i: (i + 10**30) / 10**15), ("sqrt(i)", lambda i: math.sqrt(i)),
             ("0.1 * i", lambda i: 0.1 * i), ("i // 0.3", lambda i: i // 0.3), ("i % 0.3", lambda i: i % 0.3), ("-i % 0.7", lambda i: -i % 0.7), ("float(i + 2**53)", lambda i: float(i + 2**53))]:
    case(["sum", "0..101", "--of", e], fsum(f(i) for i in range(101)), others="")
case(["sum", "0..4", "--of", "9007199254740992 + i > 9007199254740992.0"], 3, others="")
case(["sum", "0..3", "--of", "9007199254740993 == 9007199254740992.0"], 0, others="")
# Ranges.
for s, xs in [("-5..5", range(-5, 5)), ("-10..=-1", range(-10, 0)), ("9..3", range(9, 3)), (f"{2**64}..{2**64 + 5}", range(2**64, 2**64 + 5)),
              (f"{-2**65}..{-2**65 + 9}", range(-2**65, -2**65 + 9)), (f"{M - 2}..={M + 2}", range(M - 2, M + 3)), (f"{10**40}..={10**40 + 1}", range(10**40, 10**40 + 2))]:
    case(["sum", s], sum(xs), others="")
case(["sum", f"{4 * 10**9}..{4 * 10**9 + 9}", "--of", "i*i"], sum(i * i for i in range(4 * 10**9, 4 * 10**9 + 9)), others="numpy, numexpr: wrap; duckdb: an error")
case(["sum", "0..10", "--step", "3"], 18)
case(["sum", "10..0", "--step", "-4"], 18)
case(["count", f"0..{10**15}", "--step", str(10**13)], 100)
case(["sum", f"0..{10**30}", "--step", str(10**29)], sum(range(0, 10**30, 10**29)), others="")
# Factorials and products.
for n in [0, 1, 20, 21, 35, 100, 500]:
    case(["factorial", str(n)], math.factorial(n))
case(["product", "-3..0"], -6)
case(["product", "5..5"], 1)
case(["product", "-3..4"], 0)
# Floats.
for xs, who in [([1e16, 1.0, -1e16] * 1000, "numpy: 66.0; duckdb, polars, arrow: 0.0"), ([1.0, 1e100, 1.0, -1e100] * 10, "all but math.fsum: 0.0"), ([0.1] * 10, "duckdb, polars: 0.9999999999999999"),
                ([5e-324] * 3, ""), ([5e-324, -5e-324], ""), ([1e308, 1e308, -1e308], "numpy, polars, duckdb: inf; math.fsum raises"), ([1.0, 2.0**-53, 2.0**-106], "numpy: 1.0"), ([1.0, 1e100, 1e200, -1e200, -1e100], "numpy, polars: -1e100"), ([2.0**53, 1.0, 2.0**-60], ""),
                ([2.0**53, 1.0], ""), ([2.0**53, 1.0, 1.0], ""), ([1e16, 1.0, 1e-16], ""), ([2.2250738585072014e-308, -5e-324], "")]:
    case(["sum", "f.txt"], fsum(xs), "f.txt", lines(xs), who)
case(["sum", "f.f64", "--format", "f64le"], -0.0, "f.f64", struct.pack("<2d", -0.0, -0.0), "numpy, polars, duckdb, arrow, fsum: 0.0")
case(["sum", "f.f64", "--format", "f64le"], 0.0, "f.f64", struct.pack("<2d", -0.0, 0.0))
case(["sum", "f.f64", "--format", "f64le"], INF, "f.f64", struct.pack("<2d", 1e308, 1e308), "")
case(["sum", "f.f64", "--format", "f64le"], NAN, "f.f64", struct.pack("<2d", INF, -INF), "")
for r in ["sum", "mean", "min", "max"]:
    case([r, "f.f64", "--format", "f64le"], NAN, "f.f64", struct.pack("<3d", 1.0, NAN, 3.0), {"max": "duckdb: nan", "min": "duckdb: 1.0"}.get(r, ""))
    case([r, "f.f64", "--format", "f64le", "--nan", "skip"], {"sum": 4.0, "mean": 2.0, "min": 1.0, "max": 3.0}[r], "f.f64", struct.pack("<3d", 1.0, NAN, 3.0))
case(["mean", "f.f64", "--format", "f64le"], 1e308, "f.f64", struct.pack("<3d", 1e308, 1e308, 1e308), "")
case(["mean", "f.txt"], 5.4, "f.txt", lines([5.4] * 3), "numpy, polars, duckdb: 5.400000000000001")
case(["variance", "f.txt"], 1.0, "f.txt", lines([1e9 + 1, 1e9 + 2, 1e9 + 3]), "sum of squares: 0 or worse")
case(["stddev", "0..5", "--population"], math.sqrt(2))
case(["mean", f"{2**53 + 1}..{2**53 + 2}"], near(F(2**53 + 1)))
# Nothing at all.
for r, a in [("sum", 0), ("product", 1), ("count", 0)]:
    case([r, "0..0"], a)
for r in ["mean", "min", "max", "variance", "stddev"]:
    fails([r, "0..0"], "could not", others="")
for r in ["variance", "stddev"]:
    fails([r, "0..1"], "could not", others="")
    case([r, "0..1", "--population"], 0.0)
# CSV.
for data, args, a, who in [
        (b'a,b\n1,"x\ny"\n2,z\n', ["--of", "a"], 3, ""), (b'a,b\n1,"x,""y"\n2,z\n', ["--of", "a"], 3, ""),
        (b'\xef\xbb\xbfa,b\n1,2\n', ["--of", "a"], 1, ""), (b'a,b\r\n1,2\r\n3,4\r\n', ["--of", "b"], 6, ""),
        (b'a\n1\n2', [], 3, ""), (b'unit price,n\n5,1\n6,1\n', ["--of", 'col("unit price")'], 11, ""), (b'if,n\n5,1\n6,1\n', ["--of", 'col("if")'], 11, ""),
        (b'"a ""q""",n\n5,1\n', ["--of", 'col("a \\"q\\"")'], 5, ""), (b'a;b\n1;2\n', ["--delimiter", ";", "--of", "b"], 2, ""),
        (b'r,a\nnorth,1\nsouth,2\nnorth,4\n', ["--of", "a", "--where", 'r == "north"'], 5, ""), (b'r,a\nb,1\na,2\nc,4\n', ["--of", "a", "--where", '"a" < r < "c"'], 1, ""),
        (b'a\n"1"\n"2"\n', [], 3, ""), (b'a\n' + str(10**40).encode() + b'\n1\n', [], 10**40 + 1, ""),
        (b'a\n1\n\nNA\n', ["--on-bad", "skip"], 1, "")]:
    case(["sum", "f.csv", *args], a, "f.csv", data, who)
case(["sum", "f.csv", "--of", "a"], 0, "f.csv", b"a\n")
case(["count", "f.csv"], 2, "f.csv", b"a\n1\n2\n")
case(["sum", "f.csv", "--on-bad", "nan"], NAN, "f.csv", b"a\n1.5\nNA\n")
case(["sum", "f.csv", "--on-bad", "nan"], NAN, "f.csv", b"a\n1\nNA\n")
fails(["sum", "f.csv"], "row", "f.csv", b"a\n1\nx\n", "")
fails(["sum", "f.csv", "--of", "a"], "could not", "f.csv", b"a,b\n1,2\n3\n", "")
fails(["sum", "f.csv", "--of", "prise"], "price", "f.csv", b"price,n\n1,2\n", "", 2)
fails(["sum", "-3..3", "--of", "1 // i"], "division by zero", others="")
fails(["sum", "0..3", "--of", "sqrt(-1.0 - i)"], "square root", others="")
fails(["sum", "0..3", "--of", "i %% 7"], "no operator", code=2)
# Array files, every width and byte order.
for descr, fmt, xs in [("|i1", "b", [-128, -128]), ("|u1", "B", [255, 255]), ("<i2", "h", [-2**15] * 2), (">i2", "h", [2**15 - 1] * 2), ("<u2", "H", [65535] * 2), (">u2", "H", [1, 256]),
                       ("<i4", "i", [-2**31] * 2), (">i4", "i", [2**31 - 1] * 2), ("<u4", "I", [2**32 - 1] * 2), (">u4", "I", [1, 2**24]), ("<i8", "q", [M] * 2), (">i8", "q", [-2**63] * 2),
                       ("<u8", "Q", [2**64 - 1] * 2), (">u8", "Q", [2**64 - 1, 1]), ("<f4", "f", [2.0**24, 1.0]), (">f4", "f", [0.5, 2.0**-149]), ("<f8", "d", [1e16, 1.0, -1e16]), (">f8", "d", [1e16, 1.0, -1e16])]:
    case(["sum", "f.npy"], fsum(xs) if fmt in "fd" else sum(xs), "f.npy", npy(descr, fmt, xs))



def naive(xs):
    """Added one by one, as awk and most loops do."""
    total = 0.0
    for x in xs:
        total += x
    return total


def floats(xs, reduction="sum", answer=None):
    """A sum of floats with what a plain loop makes of it, where that is something else."""
    right = fsum(xs) if answer is None else answer
    loop = naive(xs)
    who = "" if text(loop) == text(right) or reduction != "sum" else f"one by one: {text(loop)}"
    case([reduction, "f.f64", "--format", "f64le"], right, "f.f64", struct.pack(f"<{len(xs)}d", *xs), who)


# Sums in the manner of what tries CPython's fsum: cancellation, ties that a far smaller number breaks, long tails.
for xs in [
        [], [0.0], [1e100, 1.0, -1e100, 1e-100, 1e50, -1.0, -1e50], [2.0**53, -0.5, -2.0**-54], [2.0**53, 1.0, 2.0**-100],
        [2.0**53 + 10.0, 1.0, 2.0**-100], [2.0**53 - 4.0, 0.5, 2.0**-54], [2.0**53, 0.5, 2.0**-54], [-2.0**53, -1.0, -2.0**-900],
        [1.0 / n for n in range(1, 201)], [(-1.0) ** n / n for n in range(1, 201)],
        [1.7 ** (i + 1) - 1.7**i for i in range(150)] + [-(1.7**150)],
        [2.0**n - 2.0 ** (n + 50) + 2.0 ** (n + 52) for n in range(-1074, 972, 32)] + [-(2.0**1022)],
        [1e16 - 2, 1.0 - 2.0**-53, -(1e16 - 2), -(1.0 - 2.0**-53)], [2.0**1023, 2.0**1023, -(2.0**1023)],
        [2.0**1023, 2.0**1022, -(2.0**970), 1.0, -(2.0**1023), -(2.0**1022)], [5e-324] * 7 + [-5e-324] * 6, [2.0**-1022, -(2.0**-1074)],
        [x for n in range(40) for x in (10.0**n, -(10.0**n), 1.0)], [0.1, 0.2, -0.3], [math.ldexp(1.0, -n) for n in range(1100)],
        [math.sin(n) * 2.0 ** (n * 37 % 200 - 100) for n in range(150)]]:
    floats(xs)
for xs, answer in [([INF], INF), ([-INF, 1.0], -INF), ([INF, INF], INF), ([INF, -INF, 1.0], NAN), ([NAN, INF], NAN), ([1.7e308] * 2 + [INF], INF),
                   ([-1.7e308] * 3, -INF), ([1.7e308] * 3 + [-1.7e308] * 2, 1.7e308)]:
    floats(xs, answer=answer)
# Of every type and of lengths about those at which loops are unrolled and blocks end, as NumPy's sums are tried.
for length in [1, 2, 7, 8, 9, 15, 16, 19, 127, 128, 129, 1024, 1235]:
    xs = range(1, length + 1)
    case(["sum", "f.npy"], sum(xs), "f.npy", npy("<i2", "h", xs))
    case(["sum", "f.npy"], float(-sum(xs)), "f.npy", npy(">f4", "f", [-x for x in xs]))
for descr, fmt in [("<f8", "d"), ("<f4", "f"), ("<f2", "e")]:
    xs = [1.0, 2.0, -0.5] * 50 + [512.0]
    case(["mean", "f.npy"], near(sum(map(F, xs)) / len(xs)), "f.npy", npy(descr, fmt, xs))
    case(["sum", "f.npy"], near(sum(map(F, [60000.0] * 9))), "f.npy", npy(descr, "e" if fmt == "e" else fmt, [60000.0] * 9), "numpy float16: inf" if fmt == "e" else "")
case(["sum", "f.npy"], 3, "f.npy", npy("|b1", "?", [True, False, True, True]), "")
case(["mean", "f.npy"], near(F(2**64 - 1)), "f.npy", npy("<u8", "Q", [2**64 - 1] * 3), "a sum in 64 bits wraps")
case(["variance", "f.npy", "--population"], near(F(2, 3)), "f.npy", npy("<i8", "q", [M, M - 1, M - 2]), "squares in 64 bits wrap")
# Tables in the manner of csv-spectrum: each with a column of numbers beside what is awkward.
for data, args, a in [
        (b'first,last,address,city,n\nJohn,Doe,120 any st.,"Anytown, WW",08123\n', ["--of", "n"], 8123),
        (b'a,b,n\n1,"",3\n"","",4\n', ["--of", "n"], 7), (b'a,b,n\n1,"ha ""ha"" ha",3\n3,4,5\n', ["--of", "n"], 8),
        (b'key,val,n\n1,"{""type"": ""Point"", ""coordinates"": [102.0, 0.5]}",2\n', ["--of", "n"], 2),
        (b'a,b,n\n1,"Once upon \na time",3\n4,"5\n\n\n",6\n', ["--of", "n"], 9), (b'a,b,n\r\n1,"Once upon \r\na time",3\r\n4,5,6\r\n', ["--of", "n"], 9),
        ("a,b,n\n1,ʤ,3\n4,5,6\n".encode(), ["--of", "n"], 9), ("ʤ,b,n\n1,2,3\n".encode(), ["--of", 'col("ʤ")'], 1), (b"a,b,n\n1,2,3", ["--of", "n"], 3),
        (b'"a","b","n"\n"1","2","3"\n', ["--of", "n"], 3), (b"a,b,n\n1,,3\n,,4\n", ["--of", "n"], 7), (b"a,,n\n1,2,3\n", ["--of", 'col("")'], 2),
        (b'n,"quote "" here"\n1,2\n', ["--of", 'col("quote \\" here")'], 2), (b'n\n"1"\n" 2 "\n', [], 3), (b"n,t\n1,'a'\n2,'b,\n", ["--of", "n", "--on-bad", "skip"], 1),
        (b"n;t\n1;a,b\n2;c\n", ["--of", "n", "--delimiter", ";"], 3), (b"n\n1_000\n2\n", ["--on-bad", "skip"], 2), (b"n\n0x10\n2\n", ["--on-bad", "skip"], 2)]:
    case(["sum", "f.csv", *args], a, "f.csv", data)
fails(["sum", "f.csv", "--of", "n"], "quote", "f.csv", b'a,n\n"1" x,2\n')
fails(["sum", "f.csv", "--of", "n"], "quote", "f.csv", b'a,n\n1,2\n"3,4\n')
# Decimals.
for data, args, a in [(b"p\n0.1\n0.2\n", [], "0.3"), (b"p\n1.10\n2.205\n-0.3\n", [], "3.005"), (b"p\n99999999999999999999.99\n0.01\n", [], "100000000000000000000.00"),
                      (b"p,q\n1.5,3\n0.25,2\n", ["--of", "p * q"], "5.00"), (b"p\n1e2\n2.5e-1\n", [], "100.25")]:
    case(["sum", "f.csv", "--decimal", *args], a, "f.csv", data)
fails(["sum", "f.csv", "--decimal", "--of", "p / 3"], "/", "f.csv", b"p\n1\n", code=2)

for number, one in enumerate(CASES):
    if one["file"]:
        name = f"{number}.{one['file']}"
        one["args"] = [name if a == one["file"] else a for a in one["args"]]
        one["file"] = name
    print(json.dumps(one))
