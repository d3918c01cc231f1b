#!/usr/bin/env python3
"""Collects what paid deposit addresses hold at the treasury's address. ``--help`` says how.

This file only finds an environment to run in: the present one where Layover is installed, as in production, else the
checkout's own. The work is in sweeping/.
"""

import importlib.util
import os
import subprocess
import sys

CHECKOUT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
VENV = os.path.join(CHECKOUT, ".venv")
NEEDED = ("eth_account", "sqlalchemy", "pydantic_settings", "msgspec")


def main() -> int:
    is_own = os.path.realpath(sys.prefix) == os.path.realpath(VENV)
    if not is_own and not all(importlib.util.find_spec(name) for name in NEEDED):
        setup = os.path.join(CHECKOUT, "scripts", "environment.sh")
        made = subprocess.call(["bash", "-c", '. "$1"', "bash", setup])
        if made != 0:
            return made
        python = os.path.join(VENV, "bin", "python")
        os.execv(python, [python, os.path.realpath(__file__), *sys.argv[1:]])
    sys.path.insert(0, CHECKOUT)
    from scripts.sweeping.command import main as sweep

    return sweep(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
