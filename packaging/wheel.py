#!/usr/bin/env python3
"""Makes a wheel of the Python package with the program in it: packaging/wheel.py BINARY [--package DIR] [--output DIR]

A wheel is a zip with a list of what is in it: nothing but Python's own library is needed, and the same input makes the
same bytes. `pip install` puts the program beside the environment's python. Prints the path of the wheel.
"""
import argparse
import base64
import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

PROJECT = pathlib.Path(__file__).resolve().parent.parent


def platform_tag(binary):
    """A static program runs on any Linux; one that needs the C library says from which version on."""
    told = subprocess.run(["readelf", "-V", "--wide", binary], capture_output=True, text=True, check=True).stdout
    versions = [tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_(\d+\.\d+)", told)]
    newest = max(versions, default=(2, 17))
    return "manylinux_{}_{}_{}".format(*newest, platform.machine())


def stripped(binary):
    """The program without what only a debugger wants, which is most of it; where there is no `strip`, as it is."""
    with tempfile.TemporaryDirectory() as place:
        kept = pathlib.Path(place, "tally")
        if shutil.which("strip") is None:
            return binary.read_bytes()
        subprocess.run(["strip", "-o", kept, binary], check=True)
        return kept.read_bytes()


def members(binary, package, name, version, tag):
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"tally/{path.relative_to(package).as_posix()}", path.read_bytes(), 0o644
    yield f"{name}.data/scripts/tally", stripped(binary), 0o755
    info = f"{name}.dist-info"
    metadata = [
        "Metadata-Version: 2.1", "Name: tally", f"Version: {version}",
        "Summary: Exact parallel reductions, shared objects, locks and an executor, with the program in it",
        "License: MIT OR Apache-2.0", "Requires-Python: >=3.9", "", "See README.md of the project.", "",
    ]
    yield f"{info}/METADATA", "\n".join(metadata).encode(), 0o644
    wheel = ["Wheel-Version: 1.0", "Generator: packaging/wheel.py", "Root-Is-Purelib: false", f"Tag: {tag}", ""]
    yield f"{info}/WHEEL", "\n".join(wheel).encode(), 0o644
    for licence in ("LICENSE-MIT", "LICENSE-APACHE"):
        yield f"{info}/licenses/{licence}", (PROJECT / licence).read_bytes(), 0o644


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--package", type=pathlib.Path, default=PROJECT / "python/tally")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("."))
    given = parser.parse_args()
    if not (given.package / "__init__.py").exists():
        sys.exit(f"wheel.py: could not find a Python package in {given.package}")
    told = subprocess.run([given.binary, "--version"], capture_output=True, text=True, check=True).stdout
    version = told.split()[1]
    name, tag = f"tally-{version}", f"py3-none-{platform_tag(given.binary)}"
    given.output.mkdir(parents=True, exist_ok=True)
    path = given.output / f"{name}-{tag}.whl"
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(member, content, mode):
            entry = zipfile.ZipInfo(member, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)

        for member, content, mode in members(given.binary, given.package, name, version, tag):
            add(member, content, mode)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{member},sha256={digest},{len(content)}")
        record.append(f"{name}.dist-info/RECORD,,")
        add(f"{name}.dist-info/RECORD", ("\n".join(record) + "\n").encode(), 0o644)
    os.chmod(path, 0o644)
    print(path)


if __name__ == "__main__":
    main()
