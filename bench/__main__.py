"""``scripts/bench``: runs a benchmark and prints its table."""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import structlog

from bench.indexer import FULL, QUICK, run
from bench.report import table, write_json


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="How fast the parts are on this machine.")
    parser.add_argument("benchmark", choices=["indexer"])
    parser.add_argument("--quick", action="store_true", help="a few seconds: shows that it runs, says little of speed")
    parser.add_argument("--only", action="append", help="one part of it (may be repeated)")
    parser.add_argument("--json", type=Path, default=Path(".layover/bench/indexer.json"), help="where the figures go")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="layover-bench-") as folder:
        figures = asyncio.run(run(QUICK if options.quick else FULL, Path(folder), options.only))
    write_json(options.json, options.benchmark, figures)
    sys.stdout.write(f"{table(figures)}\n\nWritten to {options.json}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
