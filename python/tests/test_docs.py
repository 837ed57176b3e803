"""The programs of docs/python.md, as they stand there."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

from support import HERE, WithDaemon

PAGE = os.path.join(HERE, "..", "..", "docs", "python.md")
BLOCK = re.compile(r"```python(?: (\S+))?\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.DOTALL)


class Page(WithDaemon):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.environment = {**os.environ, "PYTHONPATH": os.path.dirname(HERE)}
        with open(PAGE) as page:
            self.blocks = BLOCK.findall(page.read())

    def run_program(self, path):
        return subprocess.run(
            [sys.executable, path], cwd=self.directory, env=self.environment, capture_output=True, text=True
        )

    def test_programs_print_what_is_said(self):
        shown = [(program, prints) for name, program, prints in self.blocks if not name]
        self.assertGreater(len(shown), 3)
        for number, (program, prints) in enumerate(shown):
            path = os.path.join(self.directory, f"program{number}.py")
            with open(path, "w") as out:
                out.write(program)
            said = self.run_program(path)
            self.assertEqual((said.stdout, said.stderr), (prints, ""), program)

    def test_the_kernel_answers(self):
        ((name, program, _),) = [block for block in self.blocks if block[0]]
        path = os.path.join(self.directory, name)
        with open(path, "w") as out:
            out.write(program)
        os.environ["PYTHONPATH"] = os.path.dirname(HERE)
        try:
            expected = sum(n * n for n in range(1000))
            self.assertEqual(self.client.sum(range(1000), command=[sys.executable, path]), expected)
        finally:
            del os.environ["PYTHONPATH"]

    def test_the_list_of_differences_is_that_of_the_run(self):
        from run_cpython import DIFFERENT

        with open(PAGE) as page:
            listed = re.findall(r"^\| `(test_\w+)` \|", page.read(), re.MULTILINE)
        self.assertEqual(listed, list(DIFFERENT))


if __name__ == "__main__":
    unittest.main()
