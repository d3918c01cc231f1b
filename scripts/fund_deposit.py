#!/usr/bin/env python3
"""Pays a deposit address on a local development node, in the traveller's stead. ``--help`` says how.

This file only finds the checkout's own environment, whichever Python it was started with; the work is in funding.py.
"""

import os
import subprocess
import sys

CHECKOUT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
VENV = os.path.join(CHECKOUT, ".venv")


def main() -> int:
    if os.path.realpath(sys.prefix) != os.path.realpath(VENV):
        setup = os.path.join(CHECKOUT, "scripts", "environment.sh")
        made = subprocess.call(["bash", "-c", '. "$1"', "bash", setup])
        if made != 0:
            return made
        python = os.path.join(VENV, "bin", "python")
        os.execv(python, [python, os.path.realpath(__file__), *sys.argv[1:]])
    from scripts.funding import main as fund

    return fund(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
