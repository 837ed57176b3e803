#!/usr/bin/env python3
"""Writes python.tsv: expressions, the names they use, and the answers of Python.

Integers, floats, comparisons, `//`, `%`, `/`, `**` and `round` are Python's own. Elementary functions and fractional
powers are computed with 90 digits and rounded once, as the C library below Python is not exact.
Columns: expression, names (`name=value`, separated by `;`), kind of answer, answer. An error has the kind `error`.
Usage: python3 generate.py > python.tsv
"""
import ast
import math
import random
import re
from decimal import Decimal, getcontext

getcontext().prec = 90
getcontext().Emax = 10**9
getcontext().Emin = -(10**9)


def pi_digits():
    a, b, t, p = Decimal(1), 1 / Decimal(2).sqrt(), Decimal(1) / 4, Decimal(1)
    for _ in range(10):
        a, b, t, p = (a + b) / 2, (a * b).sqrt(), t - p * ((a - b) / 2) ** 2, 2 * p
    return (a + b) ** 2 / (4 * t)


getcontext().prec = 400
PI = pi_digits()
getcontext().prec = 90


def series(x, first):
    """sin (first = 1) or cos (first = 0) near zero."""
    term = x if first else Decimal(1)
    total, n = term, first
    while abs(term) > Decimal(10) ** -100:
        term = -term * x * x / ((n + 1) * (n + 2))
        n += 2
        total += term
    return total


def reduced(x):
    getcontext().prec = 400
    d = Decimal(x)
    r = d - (d / (2 * PI)).to_integral_value() * 2 * PI
    getcontext().prec = 90
    return +r


def rounded(decimal):
    value = float(decimal)
    if math.isinf(value):
        raise OverflowError
    return value


def angle(f):
    def call(x):
        x = float(x)
        if math.isinf(x):
            raise ValueError
        if math.isnan(x) or x == 0:
            return f(0.0) if x == 0 and f is COS else x
        return f(x)
    return call


def SIN(x): return float(series(reduced(x), 1))
def COS(x): return float(series(reduced(x), 0))
def TAN(x): return float(series(reduced(x), 1) / series(reduced(x), 0))


def log(base):
    def call(x):
        x = float(x)
        if x <= 0:
            raise ValueError
        if math.isnan(x) or math.isinf(x):
            return x
        return float(Decimal(x).ln() / (Decimal(base).ln() if base else 1))
    return call


def exp(x):
    x = float(x)
    if math.isnan(x) or math.isinf(x):
        return math.exp(x)
    return rounded(Decimal(x).exp())


def power(a, b):
    if isinstance(a, int) and isinstance(b, int) and b >= 0:
        return a ** b
    a, b = float(a), float(b)
    answer = a ** b  # for its errors and special cases
    if isinstance(answer, complex):
        raise ValueError
    if any(map(math.isnan, (a, b))) or any(map(math.isinf, (a, b))) or a == 0 or b == 0:
        return answer
    exact = rounded((Decimal(abs(a)).ln() * Decimal(b)).exp())
    return math.copysign(exact, answer)


def extreme(f):
    def call(*args):
        if any(isinstance(x, float) and math.isnan(x) for x in args):
            return math.nan
        best = f(*args)
        return float(best) if any(isinstance(x, float) for x in args) else best
    return call


NAMES = {
    "abs": abs, "min": extreme(min), "max": extreme(max), "floor": math.floor, "ceil": math.ceil, "round": round,
    "sqrt": lambda x: math.sqrt(x), "exp": exp, "ln": log(None), "log2": log(2), "log10": log(10),
    "sin": angle(SIN), "cos": angle(COS), "tan": angle(TAN), "int": int, "float": float,
    "true": True, "false": False, "pi": math.pi, "inf": math.inf, "nan": math.nan, "_power": power,
}


class Rewrite(ast.NodeTransformer):
    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.Pow):
            return ast.Call(ast.Name("_power", ast.Load()), [node.left, node.right], [])
        return node

    def visit_Call(self, node):
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "_if":
            return ast.IfExp(*node.args)
        return node


def answer(expression, names):
    source = re.sub(r"\bif\(", "_if(", re.sub(r"\bxor\b", "^", expression))
    tree = ast.fix_missing_locations(Rewrite().visit(ast.parse(source, mode="eval")))
    try:
        value = eval(compile(tree, expression, "eval"), {"__builtins__": {}}, {**NAMES, **names})
    except (ZeroDivisionError, OverflowError, ValueError):
        return "error", "error"
    if isinstance(value, bool):
        return "bool", str(value).lower()
    if isinstance(value, int):
        return "integer", str(value)
    return "float", repr(value)


def line(expression, names):
    shown = ";".join(f"{k}={v!r}" if not isinstance(v, str) else f"{k}='{v}'" for k, v in names.items())
    return "\t".join((expression, shown, *answer(expression, names)))


HAND = """
1 + 2 * 3
2 ** 3 ** 2
-2 ** 2
2 ** -1
2 ** -1074
10 ** 30
(-2) ** 63
(-2) ** 64
7 // 2
-7 // 2
7 // -2
-7 // -2
7 % 3
-7 % 3
7 % -3
-7 % -3
6 % -3
0 % -3
7.5 // 2
-7.5 // 2
7.5 % -2
-7.5 % 2
-0.0 % 3
5.0 % inf
-5.0 % inf
5.0 // inf
-5.0 // inf
1e300 * 1e10
1e308 + 1e308
1e200 ** 2
1e-200 ** 2
0.1 + 0.2
0.1 * 3
1 / 3
-1 / 3
0 / -5
2 / 4
10 ** 400 / 10 ** 399
10 ** 400 / 3
9007199254740993 / 9007199254740991
(10 ** 30 + 1) / 10 ** 30
1 / 10 ** 320
3 / 2 ** 1075
1 / 2 ** 1075
123456789012345678901234567890 / 7
1 // 0
1 % 0
1 / 0
1.0 / 0
1.0 // 0.0
1.0 % 0.0
0.0 / 0.0
0 ** 0
0.0 ** 0
0 ** -1
0.0 ** -1.0
0.0 ** -inf
(-8.0) ** 3
(-8.0) ** 0.5
(-8.0) ** (1 / 3)
(-1.0) ** inf
(-1.0) ** -inf
(-2.0) ** inf
(-2.0) ** -inf
0.5 ** inf
0.5 ** -inf
(-inf) ** 3
(-inf) ** 2
(-inf) ** -3
(-inf) ** 0.5
(-0.0) ** 3
(-0.0) ** 2
(-0.0) ** 0.5
nan ** 0
1 ** nan
nan ** 2
2.5 ** 3.5
1.1 ** 100
0.9 ** 1000
10.0 ** -5
10.0 ** 308
10.0 ** 309
2.0 ** -1074
2.0 ** -1075
3.0 ** 0.5
1.0000001 ** 10000000
float(3) ** -2
10 ** -3
5 & 3
5 | 3
5 xor 3
-5 & 3
-5 | 3
-5 xor 3
~5
~-1
1 << 10
1 << 100
-1 << 70
5 << 0
1 >> 1
-1 >> 1
-1 >> 1000
-12345678901234567890123 >> 3
12345678901234567890123 >> 80
1 << -1
1 >> -1
2 ** 100 & (2 ** 90 - 1)
-(2 ** 100) & (2 ** 90 - 1)
-(2 ** 100) | 12345
1 | 2 xor 3 & 4 << 1
1 < 2
2 < 1
1 < 2 < 3
1 < 3 < 2
3 > 2 > 1 > 0
1 == 1.0
9007199254740993 == 9007199254740992.0
9007199254740993 > 9007199254740992.0
9007199254740992.0 < 9007199254740993
2 ** 1024 > 1e308
2 ** 1024 < inf
-(2 ** 1024) > -inf
10 ** 400 == 1e308
nan == nan
nan != nan
nan < 1
1 < nan
not nan == nan
0.0 == -0.0
0.1 + 0.2 == 0.3
3 in (1, 2, 3)
3 not in (1, 2, 3)
3 in (1, 2, 3.0)
4 in (1, 2, 3)
nan in (1.0, 2.0)
true and false
true or false
not true
true and not false or false
1 == 1 and 2 == 3 or 4 == 4
false and 1 // 0 == 1
true or 1 // 0 == 1
if(1 < 2, 3, 4)
if(1 > 2, 3, 4)
if(true, 1, 1 // 0)
if(false, 1 // 0, 1)
if(1 < 2, 1.5, 2.5)
true + true
true * 5
-true
~true
true == 1
true < 2
true & false
true | false
true xor true
true & 3
abs(-5)
abs(5)
abs(-5.5)
abs(-0.0)
abs(-(10 ** 30))
min(3, 1, 2)
max(3, 1, 2)
min(3, 1.5)
max(3, 1.5)
min(1.0, nan)
min(nan, 1.0)
max(1.0, nan)
min(0.0, -0.0)
max(-0.0, 0.0)
min(10 ** 30, -(10 ** 30))
floor(2.7)
floor(-2.7)
ceil(2.2)
ceil(-2.2)
round(0.5)
round(1.5)
round(2.5)
round(-0.5)
round(-1.5)
round(2.4999999999999996)
round(0.49999999999999994)
int(2.9)
int(-2.9)
int(5)
int(1e30)
floor(1e23)
floor(-1e23)
ceil(-1e300)
round(1e22)
floor(7)
round(7)
floor(nan)
ceil(inf)
round(-inf)
int(nan)
int(inf)
float(5)
float(2 ** 53 + 1)
float(2 ** 53 + 3)
float(2 ** 64 - 1)
float(10 ** 308)
float(10 ** 309)
2 ** 1024 + 1.0
2 ** 1023 + 1.0
sqrt(2)
sqrt(16)
sqrt(-1)
sqrt(-0.0)
sqrt(inf)
sqrt(-inf)
sqrt(nan)
sqrt(10 ** 400)
exp(0)
exp(1)
exp(-1)
exp(0.1)
exp(709.78)
exp(710)
exp(-745)
exp(-746)
exp(inf)
exp(-inf)
exp(1e-300)
exp(100.5)
ln(1)
ln(2)
ln(0)
ln(-1)
ln(inf)
ln(10)
ln(1e-320)
ln(0.9999999999)
ln(1.0000000001)
ln(123456.789)
log2(8)
log2(10)
log2(0.1)
log2(2 ** 100)
log2(3)
log2(0)
log10(1000)
log10(2)
log10(1e-5)
log10(12345)
log10(-5)
sin(0)
sin(-0.0)
sin(1)
sin(3)
sin(1e6)
sin(1e22)
sin(-2.5)
sin(pi)
sin(inf)
cos(0)
cos(1)
cos(3)
cos(1e6)
cos(1e22)
cos(pi / 2)
cos(-inf)
tan(0)
tan(1)
tan(1.5707963267948966)
tan(100)
tan(1e22)
tan(inf)
sin(nan)
0xff + 0b101 + 0o17
1_000_000 * 1_000_000
9223372036854775807 + 1
-9223372036854775808 - 1
9223372036854775807 * 9223372036854775807
170141183460469231731687303715884105727 + 1
4000000000 * 4000000000
-170141183460469231731687303715884105728 // -1
-9223372036854775808 // -1
abs(-9223372036854775808)
-(-9223372036854775808)
-9223372036854775808 % -1
100 * 1.1
.5 + 5. + 1e3
1e9
1e9 == 10 ** 9
inf - inf
-inf
inf * 0
pi
"""

WITH_NAMES = [
    ("i * i % 7", {"i": v})
    for v in (0, 5, -5, 10**9, 4 * 10**9, -(10**18), 2**63 - 1, -(2**63), 10**30)
] + [
    ("i ** 3 - i // 3 + i % 5", {"i": v}) for v in (0, 7, -7, 2097152, 2**31, -(2**42), 2**63, 10**40)
] + [
    ("(i ** 20 + 3) % 1000000007", {"i": v}) for v in (2, -2, 10**9, 10**18, -(10**18))
] + [
    ("i // 7", {"i": v}) for v in (6, 7, -1, -7, -8, 2**31, 2**63 - 1, -(2**63))
] + [
    ("i // 8 * 8 + i % 8 == i", {"i": v}) for v in (-9, 9, -(2**63), 2**64)
] + [
    ("if(i % 2 == 0, i // 2, 3 * i + 1)", {"i": v}) for v in (0, 1, 2, -3, 2**63 - 1)
] + [
    ("if(x != 0, 1 / x, 0.0)", {"x": v}) for v in (0.0, -0.0, 4.0, -3.0)
] + [
    ("x > 0 and ln(x) > 1", {"x": v}) for v in (0.0, -1.0, 2.0, 3.0)
] + [
    ("n == 0 or 10 // n > 1", {"n": v}) for v in (0, 1, 7, 10)
] + [
    ("0 <= i < 10", {"i": v}) for v in (-1, 0, 9, 10)
] + [
    ("10 // i < 5 < i", {"i": v}) for v in (0, 1, 3, 6)
] + [
    ("region == 'north'", {"region": v}) for v in ("north", "south", "")
] + [
    ("region in ('north', 'east')", {"region": v}) for v in ("north", "south", "eas")
] + [
    ("region not in ('north', 'east')", {"region": v}) for v in ("north", "south")
] + [
    ("'a' <= region < 'n'", {"region": v}) for v in ("north", "east", "A", "n")
] + [
    ("price * quantity * (1 - discount)", {"price": 19.99, "quantity": 3, "discount": 0.15}),
    ("price * quantity > 50 and region != 'south'", {"price": 19.99, "quantity": 3, "region": "north"}),
    ("i << n", {"i": 3, "n": 100}), ("i << n", {"i": 3, "n": -1}), ("i << n", {"i": 0, "n": 10**9}),
    ("i >> n", {"i": -3, "n": 10**9}), ("i ** n", {"i": -1, "n": 10**9 + 1}), ("i ** n", {"i": 3, "n": 40}),
    ("i ** n", {"i": 0, "n": 0}), ("x ** y", {"x": -2.5, "y": 3.0}), ("x ** y", {"x": 2.5, "y": -3.0}),
    ("x // y", {"x": -7.5, "y": 2.0}), ("x % y", {"x": -7.5, "y": 2.0}), ("x % y", {"x": 1e300, "y": 7.0}),
    ("x % y", {"x": 1e-300, "y": -7.0}), ("x // y", {"x": 1.0, "y": 0.1}), ("x // y", {"x": 6.0, "y": 0.1}),
    ("i / n", {"i": 2**63 - 1, "n": 3}), ("i / n", {"i": 10**40, "n": 10**39 + 1}), ("i / n", {"i": 5, "n": 0}),
    ("i == x", {"i": 2**53 + 1, "x": 2.0**53}), ("i < x", {"i": 2**63 - 1, "x": 2.0**63}),
    ("i > x", {"i": -(2**63), "x": -(2.0**63)}), ("x >= i", {"i": 10**30, "x": 1e30}),
]


def random_cases(count):
    rng = random.Random(20261121)

    def integer(depth):
        if depth == 0 or rng.random() < 0.2:
            return rng.choice(["i", "n", str(rng.choice([0, 1, 2, 3, 7, 10, 64, 255, 1000, 2**31, 2**32, 2**63, 10**20]))])
        a = integer(depth - 1)
        b = integer(depth - 1)
        pick = rng.randrange(16)
        if pick < 8:
            return f"({a} {rng.choice(['+', '-', '*', '&', '|', 'xor'])} {b})"
        if pick < 10:
            return f"({a} {rng.choice(['//', '%'])} {b})"
        if pick == 10:
            return f"({a} {rng.choice(['<<', '>>'])} {rng.choice(['0', '1', '3', '40', '(n & 63)'])})"
        if pick == 11:
            return f"({a}) ** {rng.choice(['2', '3', '5'])}"
        if pick == 12:
            return f"{rng.choice(['-', '~', ''])}abs({a})"
        if pick == 13:
            return f"{rng.choice(['min', 'max'])}({a}, {b})"
        if pick == 14:
            return f"if({condition(depth - 1)}, {a}, {b})"
        return f"int({real(depth - 1)})"

    def real(depth):
        if depth == 0 or rng.random() < 0.2:
            return rng.choice(["x", "y", "float(i)", "0.5", "1e10", "2.0", "1e-3"])
        a = real(depth - 1)
        b = real(depth - 1)
        pick = rng.randrange(10)
        if pick < 5:
            return f"({a} {rng.choice(['+', '-', '*', '/'])} {b})"
        if pick == 5:
            return f"({a} {rng.choice(['//', '%'])} {b})"
        if pick == 6:
            return f"({integer(depth - 1)} / {integer(depth - 1)})"
        if pick == 7:
            return f"({integer(depth - 1)} {rng.choice(['+', '-', '*', '/'])} {b})"
        if pick == 8:
            return f"if({condition(depth - 1)}, {a}, {b})"
        return rng.choice([f"sqrt({a})", f"-{a}", f"abs({a})", f"min({a}, {b})"])

    def condition(depth):
        op = rng.choice(["<", "<=", ">", ">=", "==", "!="])
        pick = rng.randrange(6)
        if depth == 0 or pick < 2:
            return f"{integer(max(depth - 1, 0))} {op} {integer(max(depth - 1, 0))}"
        if pick == 2:
            return f"{integer(depth - 1)} {op} {real(depth - 1)}"
        if pick == 3:
            return f"({condition(depth - 1)} {rng.choice(['and', 'or'])} {condition(depth - 1)})"
        if pick == 4:
            return f"(not {condition(depth - 1)})"
        return f"{real(depth - 1)} {op} {real(depth - 1)}"

    values = [0, 1, -1, 2, 3, -7, 10, 255, 2**31 - 1, -(2**31), 2**32, 10**9, 2**53 + 1, 2**63 - 1, -(2**63), 2**64, 10**25]
    reals = [0.0, -0.0, 1.0, 0.1, -2.5, 1e300, 1e-300, 3.5, -1e17, 7.25]
    made = 0
    while made < count:
        make = rng.choice([integer, real, condition])
        expression = make(rng.choice([2, 3, 4]))
        if len(expression) > 200:
            continue
        names = {"i": rng.choice(values), "n": rng.choice(values), "x": rng.choice(reals), "y": rng.choice(reals)}
        kind, text = answer(expression, names)
        if len(text) > 400:
            continue
        yield expression, names
        made += 1


print("# expression\tnames\tkind\tanswer: written by generate.py, not by hand")
for expression in HAND.strip().splitlines():
    print(line(expression, {}))
for expression, names in WITH_NAMES:
    print(line(expression, names))
for expression, names in random_cases(500):
    print(line(expression, names))
