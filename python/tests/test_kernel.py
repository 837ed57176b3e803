"""``@tally.kernel``: the protocol by hand, then kernels that a daemon runs."""

import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

from support import HERE, WithDaemon, tally

KERNEL = """
import tally

@tally.kernel
def f({takes}):
    {body}

tally.main()
"""


def write(directory, body, takes="start, end", name="kernel.py"):
    path = os.path.join(directory, name)
    with open(path, "w") as out:
        out.write(KERNEL.format(takes=takes, body=body))
    return path


class Kernels(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def run_kernel(self, lines, body, takes="start, end", arguments=()):
        command = [sys.executable, write(self.directory, body, takes), *arguments]
        environment = {**os.environ, "PYTHONPATH": os.path.dirname(HERE)}
        return subprocess.run(command, input=lines, capture_output=True, text=True, env=environment)

    def test_a_line_in_a_line_out(self):
        said = self.run_kernel("0 10 0 1\n10 20 1 1\n", "return sum(range(start, end))")
        self.assertEqual((said.returncode, said.stdout, said.stderr), (0, "45\n145\n", ""))

    def test_partials_are_exact(self):
        for body, partial in [
            ("return 10 ** 5000", "1" + "0" * 5000),
            ("return -(2 ** 64)", "-18446744073709551616"),
            ("return 0.1", "0.1"),
            ("return float('nan')", "nan"),
            ("return True", "1"),
            ("return {'sum': 10 ** 20, 'max': 0.5}", '{"sum":100000000000000000000,"max":0.5}'),
            ("return {'min': None, 'count': 0}", '{"min":null,"count":0}'),
            ("return {'sum': float('inf'), 'max': 10 ** 400}", '{"sum":"inf","max":1' + "0" * 400 + "}"),
        ]:
            said = self.run_kernel("0 1 0 1\n", body)
            self.assertEqual((said.stdout, said.stderr), (partial + "\n", ""), body)

    def test_what_a_function_takes_it_gets(self):
        said = self.run_kernel("0 1 7 2\n", "return 10 * partition + attempt", "start, end, partition, attempt=0")
        self.assertEqual(said.stdout, "72\n")
        said = self.run_kernel("3 4 7 2\n", "return sum(all)", "*all")
        self.assertEqual(said.stdout, "16\n")

    def test_prints_do_not_spoil_it(self):
        said = self.run_kernel("0 1 0 1\n", "import os; print('hello'); os.system('echo child'); return 5")
        self.assertEqual((said.stdout, sorted(said.stderr.split())), ("5\n", ["child", "hello"]))

    def test_nothing_in_it_reads_what_is_asked(self):
        for body in (
            "import sys; return len(sys.stdin.read())",
            "import subprocess; return len(subprocess.run(['cat'], stdout=subprocess.PIPE).stdout)",
            "import os; return len(os.read(0, 100))",
        ):
            said = self.run_kernel("0 10 0 1\n10 20 1 1\n", body)
            self.assertEqual((said.returncode, said.stdout, said.stderr), (0, "0\n0\n", ""), body)
        said = self.run_kernel("0 10 0 1\n", "return int(input())")
        self.assertEqual((said.returncode, said.stdout), (1, ""))
        self.assertEqual(said.stderr.splitlines()[-1], "EOFError: EOF when reading a line")

    def test_what_it_raises_is_told(self):
        for body, last in [
            ("return 1 / (start - 3)", "ZeroDivisionError: division by zero"),
            ("return 'text'", "TypeError: a partial is an int, a float or a dict of these, not str: 'text'"),
            ("return None", "TypeError: a partial is an int, a float or a dict of these, not NoneType: None"),
            ("import fractions; return fractions.Fraction(1, 3)", "TypeError: no float has the value of Fraction(1, 3)"),
            (
                "import decimal; return decimal.Decimal('0.1')",
                "TypeError: a partial is an int, a float or a dict of these, not Decimal: Decimal('0.1')",
            ),
            (
                "import decimal; return {'sum': decimal.Decimal('0.1')}",
                "TypeError: a partial is an int, a float or a dict of these, not of Decimal: Decimal('0.1')",
            ),
        ]:
            said = self.run_kernel("3 4 0 1\n4 5 0 1\n", body)
            self.assertEqual((said.returncode, said.stdout), (1, ""))
            self.assertEqual(said.stderr.splitlines()[-1], last)

    def test_one_range_from_arguments(self):
        said = self.run_kernel("", "return end - start", arguments=["5", "12"])
        self.assertEqual((said.returncode, said.stdout), (0, "7\n"))

    def test_where_it_is_imported_nothing_runs(self):
        write(self.directory, "return 1", name="imported.py")
        paths = os.pathsep.join([os.path.dirname(HERE), self.directory])
        said = subprocess.run(
            [sys.executable, "-c", "import imported; print(imported.f(1, 2))"],
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        self.assertEqual((said.stdout, said.stderr), ("1\n", ""))

    def test_without_a_kernel_it_says_so(self):
        said = subprocess.run(
            [sys.executable, "-c", "import tally; tally.main()"],
            env={**os.environ, "PYTHONPATH": os.path.dirname(HERE)},
            capture_output=True,
            text=True,
        )
        self.assertIn("there is no kernel", said.stderr)


    def run_program(self, text, lines="0 10 0 1\n", **environment):
        path = os.path.join(self.directory, "program.py")
        with open(path, "w") as out:
            out.write(textwrap.dedent(text))
        environment = {**os.environ, "PYTHONPATH": os.path.dirname(HERE), **environment}
        return subprocess.run([sys.executable, path], input=lines, capture_output=True, text=True, env=environment)

    def test_what_cannot_be_a_kernel_is_refused_where_it_is_marked(self):
        takes = "must take start and end, and may take partition and attempt"
        for head, told in [
            ("def f(only):", takes),
            ("def f():", takes),
            ("def f(start, *, end):", takes),
            ("def f(a, b, c, d, e):", takes),
            ("def f(a, b, *, c):", takes),
            ("async def f(start, end):", "it must be a plain function"),
        ]:
            said = self.run_program(f"import tally\n@tally.kernel\n{head}\n    return 1\ntally.main()\n")
            self.assertEqual((said.returncode, said.stdout), (1, ""), head)
            self.assertRegex(said.stderr.splitlines()[-1], f"^TypeError: the kernel f .*{told}$")
        said = self.run_program("import tally\n@tally.kernel\ndef f(start, end):\n    yield 1\ntally.main()\n")
        self.assertIn("it must be a plain function", said.stderr)
        said = self.run_program("import tally\ntally.kernel(7)\n")
        self.assertIn("TypeError: a kernel is a function, not 7", said.stderr)

    def test_what_can_be_a_kernel_is_one(self):
        for kernel in (
            "@tally.kernel\ndef f(a, b, c=1, d=2, e=3, *, g=4): return e + g + b",
            "class C:\n    def m(self, start, end): return end + 7\ntally.kernel(C().m)",
            "class C:\n    def __call__(self, start, end): return end + 7\ntally.kernel(C())",
            "import functools\ntally.kernel(functools.partial(lambda x, start, end: x + end, 7))",
            "@tally.kernel\ndef f(a, *rest): return rest[0] + 7",
        ):
            said = self.run_program(f"import tally\n{kernel}\ntally.main()\n")
            self.assertEqual((said.stdout, said.stderr), ("17\n", ""), kernel)

    def test_of_two_kernels_none_is_taken(self):
        two = "import tally\n@tally.kernel\ndef f(a, b): return 1\n@tally.kernel\ndef g(a, b): return 2\n"
        said = self.run_program(two + "tally.main()\n")
        self.assertEqual((said.returncode, said.stdout), (1, ""))
        self.assertEqual(said.stderr.splitlines()[-1], "RuntimeError: there are 2 kernels, f and g: mark one of them")
        # The program's own, whatever it imports; and what it imports where it has none.
        write(self.directory, "return 5", name="imported.py")
        own = "@tally.kernel\ndef g(a, b): return 2\n"
        for kernel, answer in [(own, "2\n"), ("", "5\n")]:
            said = self.run_program(f"import tally, imported\n{kernel}tally.main()\n")
            self.assertEqual((said.stdout, said.stderr), (answer, ""))

    def test_a_kernel_that_nothing_runs_is_told(self):
        text = "import tally\n@tally.kernel\ndef f(a, b): return 1\n"
        said = self.run_program(text, TALLY_JOB="j1")
        self.assertEqual(said.stderr, "nothing runs the kernel f: the program must end with tally.main()\n")
        for more, job in [("", {}), ("tally.main()\n", {"TALLY_JOB": "j1"})]:
            self.assertEqual(self.run_program(text + more, **job).stderr, "")
        said = self.run_program(text + "1 / 0\n", TALLY_JOB="j1")
        self.assertEqual(said.stderr.splitlines()[-1], "ZeroDivisionError: division by zero")


class Run(WithDaemon):
    """By the daemon's workers, with the package found by the environment that is sent along."""

    @classmethod
    def setUpClass(cls):
        cls.before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.path.dirname(HERE)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        if cls.before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = cls.before

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def test_processes_that_live_on(self):
        path = write(self.directory, "return sum(n * n for n in range(start, end))")
        expected = sum(n * n for n in range(100_000))
        self.assertEqual(self.client.sum(range(100_000), command=[sys.executable, path], partitions=20), expected)
        path = write(self.directory, "return {'sum': sum(range(start, end)), 'max': end - 1}")
        answers = self.client.reduce("sum,max", range(1000), command=[sys.executable, path], partitions=7)
        self.assertEqual(answers, {"sum": 499500, "max": 999})

    def test_a_process_for_each(self):
        path = write(self.directory, "return float(end - start)")
        line = f"{sys.executable} {path} {{start}} {{end}}"
        self.assertEqual(self.client.sum(range(50), command=line, partitions=5), 50.0)

    def test_a_command_reads_lines(self):
        client, log = self.client, os.path.join(self.directory, "big.log")
        with open(log, "w") as out:
            out.writelines(f"{n} {'ERROR' if n % 10 == 0 else 'fine'}\n" for n in range(20_000))
        count = {"command": "grep -c ERROR", "accept_status": [0, 1], "lines": True}
        self.assertEqual(client.sum(log, **count), 2000)
        self.assertEqual(client.sum(os.path.join(self.directory, "*.log"), log, **count), 4000)
        with open(log) as opened:
            self.assertEqual(client.sum(opened, **count), 2000)
        job = client.submit("sum", log, partitions=7, **count)
        self.assertEqual(job.result(), 2000)
        # From memory: bytes as they are, texts and numbers a line each, and what a pipe holds.
        self.assertEqual(client.sum(b"an ERROR\nfine\nERROR", **count), 2)
        self.assertEqual(client.sum(["ERROR", "fine\n", 7, "ERROR"], command="wc -l", lines=True), 4)
        with subprocess.Popen(["seq", "1", "1000"], stdout=subprocess.PIPE) as process:
            self.assertEqual(client.max(process.stdout, command="tail -n 1", lines=True), 1000)

    def test_a_command_reads_files(self):
        paths = [os.path.join(self.directory, name) for name in ("a b.txt", "c.txt", "empty")]
        for path, text in zip(paths, ("one", "three", "")):
            with open(path, "w") as out:
                out.write(text)
        client = self.client
        self.assertEqual(client.sum(*paths, command="wc -c", files=True), 8)
        self.assertEqual(client.sum(os.path.join(self.directory, "*.txt"), command="wc -c", files=True), 8)
        # Each has its path in the environment, and in a word of its own.
        self.assertEqual(client.sum(*paths[:2], command='test "$(cat "$TALLY_FILE")" = "$(cat)" && echo 1', files=True), 2)
        self.assertEqual(client.sum(*paths[:2], command=["stat", "-c", "%s", "{file}"], files=True), 8)
        self.assertEqual(client.sum(b"12345", b"", command="wc -c", files=True), 5)

    def test_lines_and_files_that_are_not_wanted_are_as_if_not_said(self):
        path = write(self.directory, "return sum(range(start, end))")
        numbers = os.path.join(self.directory, "numbers.txt")
        with open(numbers, "w") as out:
            out.write("1\n2\n")
        client = self.client
        for options in ({"lines": False}, {"files": False}, {"lines": False, "files": False}, {"lines": None}):
            self.assertEqual(client.sum(range(10), **options), 45)
            self.assertEqual(client.sum([1, 2, 3], **options), 6)
            self.assertEqual(client.reduce("sum,max", numbers, **options), {"sum": 3, "max": 2})
            self.assertEqual(client.submit("sum", range(10), **options).result(), 45)
            # A command without them is told of ranges.
            self.assertEqual(client.sum(range(10), command=[sys.executable, path], partitions=2, **options), 45)
        # One of them does not take the other away.
        self.assertEqual(client.sum(b"1\n2\n", command="wc -l", lines=True, files=False), 2)
        self.assertEqual(client.sum(b"12345", command="wc -c", lines=False, files=True), 5)

    def test_what_is_fed_to_no_command_is_refused(self):
        for options, told in [
            ({"lines": True}, "lines is for a command"),
            ({"files": True}, "files is for a command"),
            ({"cpus": [0]}, "cpus is for a command"),
            ({"accept_status": [1]}, "accept_status is for a command"),
            ({"lines": True, "files": True, "command": "wc"}, "lines or files, not both"),
            ({"lines": True, "command": "wc -l {file}"}, "it names {file}"),
            ({"files": True, "command": "wc -c", "partitions": 2}, "each file is a partition"),
        ]:
            with self.assertRaises(tally.BadUsage) as caught:
                self.client.sum(b"1\n", **options)
            self.assertIn(told, str(caught.exception))
        with self.assertRaises(tally.BadUsage):
            self.client.sum("0..10", command="wc -l", lines=True)
        with self.assertRaises(TypeError):
            self.client.sum(["a"], command="wc -c", files=True)

    def test_a_kernel_that_nothing_runs_is_in_the_error(self):
        path = os.path.join(self.directory, "kernel.py")
        with open(path, "w") as out:
            out.write("import tally\n@tally.kernel\ndef f(a, b): return 1\n")
        with self.assertRaises(tally.JobFailed) as caught:
            self.client.sum(range(10), command=[sys.executable, path], partitions=1, retries=0)
        self.assertIn("the program must end with tally.main()", str(caught.exception))

    def test_what_it_raises_is_in_the_error(self):
        path = write(self.directory, "return 1 // (start - start)")
        with self.assertRaises(tally.JobFailed) as caught:
            self.client.sum(range(10), command=[sys.executable, path], partitions=2, retries=0)
        self.assertIn("ZeroDivisionError", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
