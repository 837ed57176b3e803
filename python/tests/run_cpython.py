"""CPython's own tests of executors, with ``tally.Executor`` in the place of ``ProcessPoolExecutor``.

They are looked for in the running interpreter, where Debian's libpython3.11-testsuite puts them, and in the directory that
TALLY_CPYTHON_TESTS names. Exit status: 0 passed, 1 failed, 77 there are none.

Each class of tests runs in a process of its own, several at once: most of them sleep. What is expected to fail must fail.
"""

import glob
import os
import subprocess
import sys
import tempfile
import unittest

#: Tests that do not pass, and why: docs/python.md has the same list.
DIFFERENT = {
    "test_killed_child": "a call whose worker dies is lost alone: the executor stays usable, so a later submit does not fail",
}

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(HERE)
NO_TESTS = 77

#: In the place of ProcessPoolExecutor in every process, those that the tests start included.
CUSTOMIZE = """
import concurrent.futures
import tally

class ProcessPoolExecutor(tally.Executor):
    class _call_queue:
        # Of it the tests only want that its thread ends; there is none.
        join_thread = staticmethod(lambda: None)

concurrent.futures.ProcessPoolExecutor = ProcessPoolExecutor
"""


def directory_of_tests():
    """A directory that holds ``test_concurrent_futures``, as a file or as a package."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    root = os.path.dirname(PACKAGE)
    places = [
        os.environ.get("TALLY_CPYTHON_TESTS"),
        os.path.join(os.path.dirname(os.__file__), "test"),
        f"/usr/lib/{version}/test",
        os.path.join(root, "target", "cpython", "x", "usr", "lib", version, "test"),
    ]
    for place in places:
        if place and glob.glob(os.path.join(place, "test_concurrent_futures*")):
            return place
    return None


def supported():
    """The directory of the interpreter's ``test`` package, without which its tests do not run."""
    try:
        import test.support
    except ImportError:
        return None
    return os.path.dirname(os.path.dirname(test.support.__file__))


def make_site(directory, tests, support):
    """A directory for PYTHONPATH: the interpreter's test package with the tests in it, and our class in their place."""
    package = os.path.join(directory, "test")
    os.mkdir(package)
    names = {name: support for name in ("__init__.py", "support")}
    names.update({os.path.basename(path): tests for path in glob.glob(os.path.join(tests, "test_concurrent_futures*"))})
    for name, place in names.items():
        os.symlink(os.path.join(place, name), os.path.join(package, name))
    with open(os.path.join(directory, "sitecustomize.py"), "w") as out:
        out.write(CUSTOMIZE)


def classes():
    """The classes of tests that are of process pools. Of the three ways of starting ours has one, which is like spawn."""
    import importlib
    import pkgutil

    import test.test_concurrent_futures as whole
    from test.support import script_helper

    plain = script_helper.assert_python_ok

    def assert_python_ok(*arguments, **environment):
        # Not isolated: it is to find our class, too.
        return plain(*arguments, **{"PYTHONPATH": os.environ["PYTHONPATH"], **environment})

    modules = [whole]
    if hasattr(whole, "__path__"):
        names = [one.name for one in pkgutil.iter_modules(whole.__path__) if not one.name.startswith("__")]
        modules = [importlib.import_module(f"{whole.__name__}.{name}") for name in names]
    found = {}
    for module in modules:
        if hasattr(module, "assert_python_ok"):
            module.assert_python_ok = assert_python_ok
        for name, value in vars(module).items():
            is_test = isinstance(value, type) and issubclass(value, unittest.TestCase)
            if is_test and name.startswith("ProcessPoolSpawn"):
                found[name] = value
    for value in found.values():
        for name in DIFFERENT:
            if hasattr(value, name):
                setattr(value, name, unittest.expectedFailure(getattr(value, name)))
    return found


def run_inside(names):
    """In a process that has the site: the tests of some classes, or, without names, their names."""
    found = classes()
    if not names:
        print(" ".join(found))
        return 0
    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite()
    for name in names:
        name, _, only = name.partition(".")
        value = found[name]
        suite.addTest(value(only) if only else loader.loadTestsFromTestCase(value))
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
    return 0 if result.wasSuccessful() else 1


def main(names):
    tests, support = directory_of_tests(), supported()
    if tests is None or support is None:
        version = sys.version.split()[0]
        print(f"skipped: Python {version} has no test_concurrent_futures; Debian has it in libpython3.11-testsuite")
        return NO_TESTS
    with tempfile.TemporaryDirectory(prefix="tally-cpython-") as site:
        make_site(site, tests, support)
        paths = [site, PACKAGE, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}

        def start(*arguments):
            command = [sys.executable, os.path.abspath(__file__), "--inside", *arguments]
            return subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )

        if not names:
            listing = start()
            said, _ = listing.communicate()
            if listing.returncode:
                print(said)
                return 1
            names = said.split()
        running = [(name, start(name)) for name in names]
        failed = []
        for name, process in running:
            said, _ = process.communicate()
            print(f"== {name}\n{said}")
            if process.returncode:
                failed.append(name)
    print(f"CPython's tests of {sys.version.split()[0]} from {tests}: {len(names)} classes, failed: {failed or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        sys.exit(run_inside(sys.argv[2:]))
    sys.exit(main(sys.argv[1:]))
