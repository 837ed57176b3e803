#!/usr/bin/env python3
"""tally against its peers, interleaved in one run: `run.py --tally BINARY [--quick] [--rounds N] [--remove-data]`.

Installs the peers from the package index into target/peers/venv, makes the data in target/peers/data, checks every
answer against exact integers and fractions, and writes results.md and results.svg beside this file (with --quick,
into target/peers). Command-line tools that are not on the PATH are reported as absent; --apt installs them, for root.
"""
import argparse
import datetime
import json
import math
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import report

HERE = Path(__file__).resolve().parent
HOME = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target")) / "peers"
PACKAGES = ["numpy", "numexpr", "numba", "polars", "duckdb", "pyarrow", "gmpy2"]
COMMANDS = {"gawk": "gawk", "mawk": "mawk", "datamash": "datamash", "mlr": "miller"}
SLOW = 8.0  # seconds: what takes longer is not repeated


def environment(offline):
    """The interpreter that has the peers."""
    python = HOME / "venv/bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", HOME / "venv"], check=True)
    probe = "import " + ", ".join(PACKAGES)
    if subprocess.run([python, "-c", probe], capture_output=True).returncode and not offline:
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return str(python)


def versions(python):
    code = "import json, importlib.metadata as m, sys; print(json.dumps({p: m.version(p) for p in sys.argv[1:]}))"
    return json.loads(subprocess.run([python, "-c", code, *PACKAGES], capture_output=True, check=True).stdout)


class Daemon:
    """A warm daemon of two workers, and what it and all its descendants use."""

    def __init__(self, binary):
        self.binary = binary
        self.folder = tempfile.mkdtemp(prefix="tally-peers-")
        self.env = dict(os.environ, TALLY_SOCKET=f"{self.folder}/socket")
        command = [binary, "daemon", "--foreground", "--workers", "2", "--socket", self.env["TALLY_SOCKET"]]
        self.process = subprocess.Popen(
            [*command, "--state-dir", f"{self.folder}/state"], stderr=subprocess.DEVNULL, env=self.env
        )
        while subprocess.run([binary, "ping"], env=self.env, capture_output=True).returncode:
            if self.process.poll() is not None:
                raise SystemExit("could not measure: the daemon did not start")
            time.sleep(0.05)
        for _ in range(3):
            subprocess.run([binary, "sum", "0..1e6", "--of", "i"], env=self.env, capture_output=True, check=True)

    def family(self):
        children = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    children.setdefault(int(fields[1]), []).append(int(entry.name))
                except OSError:
                    pass
        found, new = [], [self.process.pid]
        while new:
            found += new
            new = [child for pid in new for child in children.get(pid, [])]
        return found

    def cpu(self):
        """CPU seconds of each process that there is, those of its threads that have ended included."""
        used = {}
        for pid in self.family():
            try:
                # The processor clock of another process, as clock_getcpuclockid has it.
                used[pid] = time.clock_gettime((~pid << 3) | 2)
            except OSError:
                pass
        return used

    def forget_peak(self):
        for pid in self.family():
            try:
                Path(f"/proc/{pid}/clear_refs").write_text("5")
            except OSError:
                pass

    def peak(self):
        total = 0
        for pid in self.family():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmHWM"):
                    total += int(line.split()[1]) << 10
        return total

    def end(self):
        subprocess.run([self.binary, "stop"], env=self.env, capture_output=True)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def spawn(command, env=None):
    """Runs a whole process: what it printed, seconds, CPU seconds, peak resident bytes."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, env=env)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise RuntimeError(err.read().decode(errors="replace").strip().splitlines()[-1:] or ["no word"])
        return out.read().decode(), seconds, used.ru_utime + used.ru_stime, used.ru_maxrss << 10


class Tool:
    """One way to the answer of a case."""

    def __init__(self, name, command, parse, daemon=None, work_alone=False, limit=None):
        self.name, self.command, self.parse, self.daemon = name, command, parse, daemon
        self.work_alone, self.limit, self.runs, self.answer, self.failed = work_alone, limit, [], None, None

    def run(self):
        if self.failed or (self.runs and self.runs[0]["seconds"] > SLOW):
            return
        try:
            before = self.daemon.cpu() if self.daemon else {}
            if self.daemon:
                self.daemon.forget_peak()
            out, seconds, cpu, peak = spawn(self.command, self.daemon and self.daemon.env)
            if self.daemon:
                cpu += sum(used - before.get(pid, 0) for pid, used in self.daemon.cpu().items())
                peak += self.daemon.peak()
            if self.work_alone:
                told = json.loads(out)
                seconds, cpu = told["seconds"], told["cpu"]
            self.answer = self.parse(out)
            self.runs.append({"seconds": seconds, "cpu": cpu, "peak": peak})
        except (RuntimeError, ValueError, KeyError) as error:
            self.failed = str(error)

    def result(self, right):
        best = {key: min(run[key] for run in self.runs) for key in ("seconds", "cpu", "peak")} if self.runs else {}
        return {
            "tool": self.name,
            "failed": self.failed,
            **best,
            "right": right(self.answer) if self.runs else None,
            "answer": repr(self.answer)[:40],
        }


def correctly_rounded(exact):
    """The double nearest to a fraction; infinity where it is too large."""
    try:
        return exact.numerator / exact.denominator  # CPython rounds quotients of integers correctly
    except OverflowError:
        return math.copysign(math.inf, exact)


def factorial_check(number):
    """Whether a decimal text is number!, told by its residues and its zeros: CPython's own conversion takes minutes."""
    primes = (2**61 - 1, 2**89 - 1, 2**107 - 1)
    product = [1] * len(primes)
    for factor in range(2, number + 1):
        product = [value * factor % prime for value, prime in zip(product, primes)]
    zeros, power = 0, 5
    while power <= number:
        zeros, power = zeros + number // power, power * 5

    def right(text):
        if not isinstance(text, str) or not text.isdigit():
            return None  # not a text: cannot be told
        if len(text) - len(text.rstrip("0")) != zeros:
            return False
        residues = [0] * len(primes)
        for at in range(0, len(text), 1000):
            piece = text[at : at + 1000]
            residues = [(r * pow(10, len(piece), p) + int(piece)) % p for r, p in zip(residues, primes)]
        return residues == product

    return right


def told(out):
    return json.loads(out)["answer"]


def cases(python, daemon, data, exact, sizes):
    """Each case: title, bytes read, tools, the test of an answer."""

    def peer(label, function, *arguments, **more):
        return Tool(label, [python, str(HERE / "tools.py"), function, *map(str, arguments)], told, **more)

    def tally(*arguments, parse=int):
        return Tool("tally", [daemon.binary, *arguments], lambda out: parse(out.strip()), daemon)

    def seed(label, script):
        return Tool(label, [python, str(HERE / "seeds" / script), str(sizes["sum"])], lambda out: int(out.split()[-1]))

    def shell(label, *command, parse=float):
        return Tool(label, list(command), lambda out: parse(out.strip()))

    n = sizes["sum"]
    yield (
        f"sum of 0..{n:.0e}".replace("e+0", "e"),
        "Whole processes.",
        0,
        [
            tally("sum", f"0..{n}"),
            peer("numpy, chunks of 64 Ki", "numpy_range", n),
            peer("DuckDB", "duckdb_range", n),
            seed("CPython, one thread (seed)", "one_thread.py"),
            seed("CPython, two threads (seed)", "two_threads.py"),
            seed("CPython, two processes and a queue (seed)", "two_processes.py"),
            seed("CPython, process pool executor (seed)", "process_pool.py"),
        ],
        lambda answer: answer == n * (n - 1) // 2,
    )
    m = sizes["squares"]
    period, rest = divmod(m, 7)
    squares = period * sum(i * i % 7 for i in range(7)) + sum(i * i % 7 for i in range(rest))
    yield (
        f"sum of i*i % 7 over 0..{m:.0e}".replace("e+0", "e"),
        "Whole processes; numba compiles within its time.",
        0,
        [
            tally("sum", f"0..{m}", "--of", "i*i % 7"),
            peer("numba, two threads", "numba_squares", m),
            peer("numexpr, two threads", "numexpr_squares", m),
            peer("DuckDB, two threads", "duckdb_squares", m),
            peer("numpy, chunks of 64 Ki", "numpy_squares", m),
        ],
        lambda answer: answer == squares,
    )
    p = sizes["python_squares"]
    period, rest = divmod(p, 7)
    fewer = period * sum(i * i % 7 for i in range(7)) + sum(i * i % 7 for i in range(rest))
    yield (
        f"sum of i*i % 7 over 0..{p:.0e}".replace("e+0", "e"),
        "Fewer elements, for CPython's sake.",
        0,
        [tally("sum", f"0..{p}", "--of", "i*i % 7"), peer("CPython, multiprocessing pool of two", "python_pool", p)],
        lambda answer: answer == fewer,
    )
    for name, title, read in (("floats", "f64", float), ("integers", "i64", int)):
        path = f"{data}/{name}.npy"
        want = Fraction(*exact[name])
        want = correctly_rounded(want) if read is float else int(want)
        tools = [
            tally("sum", path, parse=read),
            peer("numpy, in memory already (the sum alone)", "numpy_memory", path, work_alone=True),
            peer("numpy, mapped", "numpy_mmap", path),
            peer("polars", "polars_npy", path),
            peer("pyarrow", "pyarrow_npy", path),
            peer("DuckDB", "duckdb_npy", path),
        ]
        if read is float:
            tools += [peer("DuckDB fsum", "duckdb_fsum", path), peer("math.fsum", "math_fsum", path)]
        size = os.path.getsize(path)
        yield (f"sum of {size // 10**6} MB of {title} in a .npy file", "Whole processes, page cache warm.", size, tools, lambda a, want=want: a == want)
    table = f"{data}/table.csv"
    size = os.path.getsize(table)
    for at, name, title, read in ((5, "value", "float", float), (3, "quantity", "integer", int)):
        want = Fraction(*exact[name])
        want = correctly_rounded(want) if read is float else int(want)
        awk = f"NR>1{{s+=${at}}}END{{printf \"%.17g\",s}}"
        tools = [
            tally("sum", table, "--of", name, parse=read),
            peer("polars", "polars_csv", table, name),
            peer("DuckDB", "duckdb_csv", table, name),
            peer("pyarrow", "pyarrow_csv", table, name),
            shell("mawk", "mawk", "-F,", awk, table, parse=read),
            shell("gawk", "gawk", "-F,", awk, table, parse=read),
            shell("datamash", "sh", "-c", f"datamash -t, --header-in sum {at} < '{table}'", parse=read),
            shell("Miller", "mlr", "--icsv", "--onidx", "stats1", "-a", "sum", "-f", name, table, parse=read),
        ]
        needs = {"mawk": "mawk", "gawk": "gawk", "datamash": "datamash", "Miller": "mlr"}
        for tool in tools:
            if tool.name in needs and not shutil.which(needs[tool.name]):
                tool.failed = "not installed here"
        yield (f"sum of one {title} column of a CSV file, {size // 10**6} MB, {sizes['rows']:,} rows x 5", "Whole processes, page cache warm.", size, tools, lambda a, want=want: a == want)
    f = sizes["factorial"]
    yield (
        f"factorial of {f:,}",
        "CPython's time is without making the decimal text, which takes it minutes; its answer is not checked.",
        0,
        [
            tally("factorial", str(f), parse=str),
            peer("GMP (gmpy2)", "gmp_factorial", f),
            peer("CPython math.factorial, no text", "math_factorial", f),
        ],
        factorial_check(f),
    )


def npy(path, code, values, times):
    """Writes a one-dimensional array without numpy, and without holding it: a child counts what we ever held as its own."""
    header = f"{{'descr': '<{code}', 'fortran_order': False, 'shape': ({len(values) * times},), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    form = {"i8": "q", "u8": "Q", "u4": "I", "i4": "i", "f8": "d", "f4": "f"}[code]
    body = struct.pack(f"<{len(values)}{form}", *values)
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        for _ in range(times // 4096):
            file.write(body * 4096)
        file.write(body * (times % 4096))


def awkward():
    """Name, what is asked, type, values, and how many times over."""
    big = 2**63 - 1
    yield "two of the largest i64", "sum", "i8", [big], 2
    yield "three of the largest u64", "sum", "u8", [2**64 - 1], 3
    yield "three u32 of 2e9", "sum", "u4", [2 * 10**9], 3
    yield "two of the largest i32", "sum", "i4", [2**31 - 1], 2
    yield "squares of 4e9 and the nine after it", "squares", "i8", [4 * 10**9 + k for k in range(10)], 1
    yield "25!", "product", "i8", list(range(1, 26)), 1
    yield "1e16, 1, -1e16, a thousand times", "sum", "f8", [1e16, 1.0, -1e16], 1000
    yield "1, 1e100, 1, -1e100, ten times", "sum", "f8", [1.0, 1e100, 1.0, -1e100], 10
    yield "1, 1e100, 1e200, -1e200, -1e100", "sum", "f8", [1.0, 1e100, 1e200, -1e200, -1e100], 1
    yield "ten times 0.1", "sum", "f8", [0.1], 10
    yield "1e308, 1e308, -1e308", "sum", "f8", [1e308, 1e308, -1e308], 1
    yield "infinity, 1e308, 1", "sum", "f8", [math.inf, 1e308, 1.0], 1
    yield "1, 2^-53, 2^-106", "sum", "f8", [1.0, 2.0**-53, 2.0**-106], 1
    yield "-0.0, -0.0", "sum", "f8", [-0.0, -0.0], 1
    yield "2^24 + 1 ones in f32", "sum", "f4", [1.0], 2**24 + 1
    yield "mean of three times 5.4", "mean", "f8", [5.4], 3
    yield "population variance of 1e16, 1e16 + 2, 1e16 + 4", "variance", "f8", [1e16, 1e16 + 2, 1e16 + 4], 1


def true_answer(do, values, times):
    """The exact answer, as text; floats rounded once."""
    if any(isinstance(v, float) and math.isinf(v) for v in values):
        return repr(math.inf)
    total, count = sum(map(Fraction, values)) * times, len(values) * times
    match do:
        case "squares":
            return str(sum(v * v for v in values) * times)
        case "product":
            return str(math.prod(values) ** times)
        case "mean":
            return repr(correctly_rounded(total / count))
        case "variance":
            mean = total / count
            return repr(correctly_rounded(sum((Fraction(v) - mean) ** 2 for v in values) * times / count))
    if isinstance(values[0], int):
        return str(int(total))
    if total == 0 and all(math.copysign(1, v) < 0 for v in values):
        return "-0.0"
    return repr(correctly_rounded(total))


def exactness(python, daemon, data):
    """Rows of: name, the right answer, what each library says."""
    listed, rows = [], []
    for at, (name, do, code, values, times) in enumerate(awkward()):
        file = f"{data}/awkward-{at}.npy"
        npy(file, code, values, times)
        listed.append({"name": name, "do": do, "file": file})
        command = {"squares": ["sum", file, "--of", "value*value"], "variance": ["variance", file, "--population"]}
        out = subprocess.run([daemon.binary, *command.get(do, [do, file])], env=daemon.env, capture_output=True, text=True)
        rows.append({"name": name, "right": true_answer(do, values, times), "tally": out.stdout.strip() or out.stderr.strip()})
    index = f"{data}/awkward.json"
    Path(index).write_text(json.dumps(listed))
    out, *_ = spawn([python, str(HERE / "tools.py"), "exactness", index])
    for peer, answers in told(out).items():
        for row in rows:
            row[peer] = answers[row["name"]]
    for row in rows:
        row["ok"] = {who: same(answer, row["right"]) for who, answer in row.items() if who not in ("name", "right")}
    return rows


def same(told, right):
    """Whether a text means the right number; a zero has a sign."""
    try:
        if right.lstrip("-").isdigit():
            return int(told) == int(right) if told.lstrip("-").isdigit() else Fraction(float(told)) == int(right)
        return struct.pack("d", float(told)) == struct.pack("d", float(right))
    except (ValueError, OverflowError):
        return False


def machine():
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} processors, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tally", required=True, help="the release binary")
    parser.add_argument("--quick", action="store_true", help="small sizes: whether it works, not how fast it is")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="only cases whose title has this text; writes no results")
    parser.add_argument("--apt", action="store_true", help="install missing command-line tools, as root")
    parser.add_argument("--offline", action="store_true", help="install nothing")
    parser.add_argument("--remove-data", action="store_true", help="remove the data afterwards")
    options = parser.parse_args()

    missing = [package for command, package in COMMANDS.items() if not shutil.which(command)]
    if options.apt and missing and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "-q", *missing], check=False)
    HOME.mkdir(parents=True, exist_ok=True)
    python = environment(options.offline)
    quick = options.quick
    sizes = {
        "sum": 10**6 if quick else 10**8,
        "squares": 10**7 if quick else 10**9,
        "python_squares": 10**5 if quick else 10**7,
        "floats": 10**6 if quick else 10**8,
        "rows": 10**5 if quick else 10**7,
        "factorial": 10**4 if quick else 10**6,
    }
    data = HOME / ("data-quick" if quick else "data")
    data.mkdir(exist_ok=True)
    if not (data / "exact.json").exists():
        out, *_ = spawn([python, str(HERE / "tools.py"), "generate", str(data), str(sizes["floats"]), str(sizes["rows"])])
        (data / "exact.json").write_text(json.dumps(told(out)))
    exact = json.loads((data / "exact.json").read_text())

    about = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "load": f"{os.getloadavg()[0]:.0f}",
        "versions": ", ".join([f"CPython {platform.python_version()}"] + [f"{k} {v}" for k, v in versions(python).items()]),
        "rounds": 1 if quick else options.rounds,
        "absent": sorted(missing),
    }
    place = HOME if quick else HERE
    daemon = Daemon(options.tally)
    results = []
    try:
        rows = exactness(python, daemon, data)
        for title, note, size, tools, right in cases(python, daemon, data, exact, sizes):
            if options.only and options.only not in title:
                continue
            for _ in range(about["rounds"]):
                for tool in tools:
                    tool.run()
            result = {"title": title, "note": note, "bytes": size, "rows": [tool.result(right) for tool in tools]}
            results.append(result)
            print(report.text(result), flush=True)
            # After each case, so that a run that is broken off leaves what it has measured.
            if not options.only:
                (place / "results.md").write_text(report.markdown(about, results, rows))
                (place / "results.svg").write_text(report.svg(results))
    finally:
        daemon.end()
    wrong = [row["name"] for row in rows if not row["ok"]["tally"]]
    wrong += [case["title"] for case in results if not case["rows"][0]["right"]]
    if options.remove_data:
        shutil.rmtree(data)
    if wrong:
        raise SystemExit("tally was wrong: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
