"""Which tests run, and the closing word on the schema checks.

``--long`` runs the full form of the fault and load tests too, ``--browser`` those that need a browser, and only those.
Where LAYOVER_SPECS names the published schemas, the sandbox compares with them all that reaches it; the last lines say
how much was compared, or that it was left out. LAYOVER_SPECS_REQUIRED=1 makes a run fail that compared nothing.
"""

import os
import sys

import pytest

_COMPARED = "schema_comparisons"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("layover")
    group.addoption("--long", action="store_true", help="the full form of the fault and load tests as well")
    group.addoption("--browser", action="store_true", help="only the tests that drive a browser")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def wanted(item: pytest.Item) -> bool:
        fits = config.getoption("--long") or item.get_closest_marker("long") is None
        return fits and bool(config.getoption("--browser")) == (item.get_closest_marker("browser") is not None)

    left_out = [item for item in items if not wanted(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if wanted(item)]


@pytest.fixture(scope="session")
def long_form(pytestconfig: pytest.Config) -> bool:
    """Whether a fault or load test that has a short and a full form is to run the full one."""
    return bool(pytestconfig.getoption("--long"))


class _Comparisons:
    """Adds up over xdist's workers what was compared with the schemas."""

    def __init__(self) -> None:
        self.total = 0

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        self.total += getattr(node, "workeroutput", {}).get(_COMPARED, 0)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        specs = sys.modules.get("sandbox.specs")  # not loaded here for its own sake
        self.total += specs.Specs.comparisons if specs else 0
        worker: dict[str, object] | None = getattr(session.config, "workeroutput", None)
        if worker is not None:
            worker[_COMPARED] = self.total
        elif os.environ.get("LAYOVER_SPECS_REQUIRED") and self.total == 0 and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.total:
            terminalreporter.write_line(f"Published schemas: {self.total:,} requests and answers compared.")
        elif os.environ.get("LAYOVER_SPECS"):
            failed = "; this run was to compare, so it failed" if os.environ.get("LAYOVER_SPECS_REQUIRED") else ""
            terminalreporter.write_line(f"Published schemas: nothing was compared{failed}.")
        else:
            terminalreporter.write_line("Published schemas: left out, because LAYOVER_SPECS names no folder.")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Comparisons())
