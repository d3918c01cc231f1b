#!/usr/bin/env python3
"""Locks the dependencies for pip as well: run it after each change of the dependencies in pyproject.toml.

``uv.lock`` is brought up to date and exported, with hashes, to ``requirements.lock``, which the two commands use where
there is no uv. ``--check`` needs no uv: it compares the digest that the export carries in its first line.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent
_EXPORT = "requirements.lock"


def digest(checkout: Path) -> str:
    """Over what the export depends on: the dependencies asked for, and the versions locked."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text())
    asked = [project["project"]["requires-python"], project["project"]["dependencies"], project["dependency-groups"]]
    return hashlib.sha256(json.dumps(asked).encode() + (checkout / "uv.lock").read_bytes()).hexdigest()


def agrees(checkout: Path) -> bool:
    """Whether ``requirements.lock`` was exported from the present pyproject.toml and uv.lock."""
    first_line = (checkout / _EXPORT).read_text().partition("\n")[0]
    return first_line == _header(checkout)


def export(checkout: Path, uv: str) -> None:
    """Lock and export. Raises subprocess.CalledProcessError."""
    subprocess.run([uv, "lock", "--quiet"], cwd=checkout, check=True)
    command = [uv, "export", "--frozen", "--quiet", "--no-emit-project", "--no-header", "--no-annotate"]
    locked = subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True).stdout
    (checkout / _EXPORT).write_text(f"{_header(checkout)}\n{locked}")


def _header(checkout: Path) -> str:
    return f"# Exported from uv.lock by scripts/lock_requirements.py. Digest of the sources: {digest(checkout)}"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--check", action="store_true", help="only say whether the export is up to date")
    if options.parse_args().check:
        if agrees(_CHECKOUT):
            return 0
        sys.stderr.write(
            "requirements.lock is older than pyproject.toml or uv.lock: run scripts/lock_requirements.py\n"
        )
        return 1
    uv = shutil.which(os.environ.get("UV", "uv"))
    if uv is None:
        sys.stderr.write("uv is needed to lock: put it on PATH, or name it in UV\n")
        return 2
    export(_CHECKOUT, uv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
