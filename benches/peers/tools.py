"""One peer, one case, in a process of its own: `tools.py NAME ARGUMENT...`.

Prints one JSON object: the answer, and the seconds and CPU seconds of the work alone, without start, imports and what
is said to be in memory already. The driver measures the whole process from outside.
"""
import json
import resource
import sys
import time


def cpu():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def timed(work):
    wall, busy = time.perf_counter(), cpu()
    answer = work()
    return answer, time.perf_counter() - wall, cpu() - busy


def squares_chunk(bounds):
    return sum(i * i % 7 for i in range(*bounds))


def python_pool(end):
    import multiprocessing

    step = end // 64 + 1
    with multiprocessing.Pool(2) as pool:
        return timed(lambda: sum(pool.map(squares_chunk, [(at, min(at + step, end)) for at in range(0, end, step)])))


def numpy_range(end, chunk=1 << 16):
    import numpy as np

    return timed(lambda: sum(int(np.arange(at, min(at + chunk, end), dtype=np.int64).sum()) for at in range(0, end, chunk)))


def numpy_squares(end, chunk=1 << 16):
    import numpy as np

    def work():
        total = 0
        for at in range(0, end, chunk):
            i = np.arange(at, min(at + chunk, end), dtype=np.int64)
            total += int((i * i % 7).sum())
        return total

    return timed(work)


def numexpr_squares(end, chunk=1 << 20):
    import numexpr
    import numpy as np

    numexpr.set_num_threads(2)

    def work():
        total = 0
        for at in range(0, end, chunk):
            i = np.arange(at, min(at + chunk, end), dtype=np.int64)
            total += int(numexpr.evaluate("sum(i*i % 7)"))
        return total

    return timed(work)


def numba_squares(end):
    import numba

    numba.set_num_threads(2)

    def work():
        @numba.njit(parallel=True)
        def squares(end):
            total = 0
            for i in numba.prange(end):
                total += i * i % 7
            return total

        return int(squares(end))

    return timed(work)


def duckdb_at_two():
    import duckdb

    connection = duckdb.connect()
    connection.execute("set threads = 2")
    return connection


def duckdb_squares(end):
    db = duckdb_at_two()
    return timed(lambda: int(db.execute(f"select sum(i*i % 7) from range({end}) t(i)").fetchone()[0]))


def duckdb_range(end):
    db = duckdb_at_two()
    return timed(lambda: int(db.execute(f"select sum(i) from range({end}) t(i)").fetchone()[0]))


def numpy_memory(path):
    import numpy as np

    data = np.load(path)
    return timed(lambda: data.sum().item())


def numpy_mmap(path):
    import numpy as np

    return timed(lambda: np.load(path, mmap_mode="r").sum().item())


def math_fsum(path):
    import math

    import numpy as np

    data = np.load(path, mmap_mode="r")
    return timed(lambda: math.fsum(data))


def polars_npy(path):
    import numpy as np
    import polars as pl

    series = pl.from_numpy(np.load(path, mmap_mode="r")).to_series()
    return timed(lambda: series.sum())


def duckdb_npy(path):
    import numpy as np
    import pyarrow as pa

    db = duckdb_at_two()
    db.register("t", pa.table({"x": np.load(path, mmap_mode="r")}))

    def work():
        answer = db.execute("select sum(x) from t").fetchone()[0]
        return answer if isinstance(answer, float) else int(answer)

    return timed(work)


def duckdb_fsum(path):
    import numpy as np
    import pyarrow as pa

    db = duckdb_at_two()
    db.register("t", pa.table({"x": np.load(path, mmap_mode="r")}))
    return timed(lambda: db.execute("select fsum(x) from t").fetchone()[0])


def pyarrow_npy(path):
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    array = pa.array(np.load(path, mmap_mode="r"))
    return timed(lambda: pc.sum(array).as_py())


def polars_csv(path, column):
    import polars as pl

    return timed(lambda: pl.scan_csv(path).select(pl.col(column).sum()).collect().item())


def duckdb_csv(path, column):
    db = duckdb_at_two()

    def work():
        answer = db.execute(f"select sum({column}) from read_csv('{path}')").fetchone()[0]
        return answer if isinstance(answer, float) else int(answer)

    return timed(work)


def pyarrow_csv(path, column):
    import pyarrow.compute as pc
    from pyarrow import csv

    options = csv.ConvertOptions(include_columns=[column])
    return timed(lambda: pc.sum(csv.read_csv(path, convert_options=options)[column]).as_py())


def math_factorial(number):
    import math

    answer, wall, busy = timed(lambda: math.factorial(number))
    return str(answer.bit_length()) + " bits", wall, busy


def gmp_factorial(number):
    import gmpy2

    return timed(lambda: str(gmpy2.fac(number)))


def exactness(path):
    """Every case of a file in every library, as JSON: peer -> case -> what it answers."""
    import math

    import duckdb
    import numpy as np
    import polars as pl
    import pyarrow as pa
    import pyarrow.compute as pc

    np.seterr(all="ignore")
    answers = {}

    def tell(peer, case, work):
        try:
            answer = work()
            answer = answer.item() if hasattr(answer, "item") else answer
            answer = int(answer) if type(answer).__name__ == "Decimal" else answer
        except Exception as error:
            answer = type(error).__name__
        answers.setdefault(peer, {})[case] = repr(answer) if isinstance(answer, float) else str(answer)

    for case in json.load(open(path)):
        name, do = case["name"], case["do"]
        data = np.load(case["file"])
        table = pa.table({"x": data})
        db = duckdb.connect()
        db.register("t", table)
        series = pl.from_numpy(data).to_series()
        if do == "squares":
            sql = "sum(x*x)"
            tell("numpy", name, lambda: (data * data).sum())
            tell("polars", name, lambda: (series * series).sum())
            tell("pyarrow", name, lambda: pc.sum(pc.multiply(table["x"], table["x"])).as_py())
            tell("CPython", name, lambda: sum(x * x for x in data.tolist()))
        elif do == "variance":
            sql = "var_pop(x)"
            tell("numpy", name, lambda: data.var())
            tell("polars", name, lambda: series.var(ddof=0))
            tell("pyarrow", name, lambda: pc.variance(table["x"], ddof=0).as_py())
            import statistics

            tell("CPython", name, lambda: statistics.pvariance(data.tolist()))
        elif do == "mean":
            sql = "avg(x)"
            tell("numpy", name, lambda: data.mean())
            tell("polars", name, lambda: series.mean())
            tell("pyarrow", name, lambda: pc.mean(table["x"]).as_py())
            tell("CPython", name, lambda: math.fsum(data.tolist()) / len(data))
        elif do == "product":
            sql = "product(x)"
            tell("numpy", name, lambda: data.prod())
            tell("polars", name, lambda: series.product())
            tell("pyarrow", name, lambda: pc.product(table["x"]).as_py())
            tell("CPython", name, lambda: math.prod(data.tolist()))
        else:
            sql = "sum(x)"
            tell("numpy", name, lambda: data.sum())
            tell("polars", name, lambda: series.sum())
            tell("pyarrow", name, lambda: pc.sum(table["x"]).as_py())
            total = math.fsum if data.dtype.kind == "f" else sum
            tell("CPython", name, lambda: total(data.tolist()))
        tell("DuckDB", name, lambda: db.execute(f"select {sql} from t").fetchone()[0])
    return timed(lambda: answers)


def generate(folder, floats, rows):
    """The data of all cases, the same on every run, with the exact sums that go with it."""
    import numpy as np
    import polars as pl

    random = np.random.Generator(np.random.PCG64(20261121))
    exact = {}

    def units(words):
        """The exact integer sum of unsigned words."""
        return (int((words >> np.uint64(32)).sum()) << 32) + int((words & np.uint64(0xFFFF_FFFF)).sum())

    words = random.integers(0, 1 << 53, floats, dtype=np.uint64)
    np.save(f"{folder}/floats.npy", words.astype(np.float64) * 2.0**-53)
    exact["floats"] = [units(words), 1 << 53]
    words = random.integers(-(1 << 63), 1 << 63, floats, dtype=np.int64)
    np.save(f"{folder}/integers.npy", words)
    exact["integers"] = [(int((words >> 32).sum()) << 32) + int((words & 0xFFFF_FFFF).sum()), 1]
    del words
    value = random.integers(0, 1 << 52, rows, dtype=np.uint64)
    quantity = random.integers(-1000, 100_000, rows, dtype=np.int64)
    frame = pl.DataFrame(
        {
            "id": np.arange(rows),
            "region": np.array(["north", "east", "south", "west"])[random.integers(0, 4, rows)],
            "quantity": quantity,
            "price": random.integers(1, 100_000, rows) / 100,
            "value": 1.0 + value.astype(np.float64) * 2.0**-52,
        }
    )
    frame.write_csv(f"{folder}/table.csv")
    exact["value"] = [units(value) + (rows << 52), 1 << 52]
    exact["quantity"] = [int(quantity.sum()), 1]
    return timed(lambda: exact)


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    answer, wall, busy = globals()[name](*[int(one) if one.isdigit() else one for one in arguments])
    json.dump({"answer": answer, "seconds": wall, "cpu": busy}, sys.stdout)
    sys.stdout.flush()
