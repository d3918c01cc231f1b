"""The commands' set-up: what a second run costs, what it says where it cannot go on, and that the locks agree."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from scripts.lock_requirements import agrees

CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_lock_for_pip_is_the_one_for_uv() -> None:
    assert agrees(CHECKOUT), "run scripts/lock_requirements.py"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that the set-up works from, in a folder of their own."""
    for name in ("pyproject.toml", "uv.lock", "requirements.lock", "scripts/environment.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((CHECKOUT / name).read_bytes())
    return tmp_path


def _source(clone: Path, then: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", f'set -euo pipefail; source "$1"; {then}', "a-command", f"{clone}/scripts/environment.sh"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd="/", timeout=60)


def _make_ready(clone: Path) -> None:
    """As a finished set-up leaves it."""
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to("/bin/true")
    words = 'cksum "$1"/pyproject.toml "$1"/uv.lock "$1"/requirements.lock'
    sums = subprocess.run(["bash", "-c", words, "x", str(clone)], check=True, capture_output=True, text=True).stdout
    (clone / ".venv" / "layover-stamp").write_text(f"{clone}\n{sums}")


def test_a_second_run_starts_at_once_in_the_checkout_without_a_home(clone: Path) -> None:
    _make_ready(clone)
    begin = time.perf_counter()
    run = _source(clone, 'echo "$PWD $VENV_PYTHON $HOME"', PATH=os.environ["PATH"])
    assert time.perf_counter() - begin < 2  # 0.02 s, but the machine may be busy
    assert run.stdout.split() == [str(clone), f"{clone}/.venv/bin/python", f"{clone}/.layover/home"]


@pytest.mark.parametrize("version", ["", "echo no python here >&2; exit 3"])
def test_without_a_python_that_will_do_it_says_what_is_needed(clone: Path, tmp_path: Path, version: str) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for needed in ("bash", "dirname", "mkdir", "cksum", "cat"):
        (programs / needed).symlink_to(shutil.which(needed) or needed)
    if version:
        (programs / "python3").write_text(f"#!/bin/sh\n{version}\n")
        (programs / "python3").chmod(0o755)
    run = _source(clone, "echo went on", PATH=str(programs), HOME=str(tmp_path))
    assert run.returncode == 2
    assert "Layover needs Python 3.11 or later" in run.stderr
    assert run.stdout == ""
