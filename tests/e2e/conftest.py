"""A stage with a running daemon, for the tests that drive Layover from outside."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.stage import Stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """On SQLite. The daemon is not started yet: a test may want other ``variables``."""
    async with Stage.open(tmp_path) as opened:
        yield opened


@pytest.fixture
async def postgresql_stage(tmp_path: Path, postgresql_url: str) -> AsyncIterator[Stage]:
    """The same on PostgreSQL, migrated."""
    async with Stage.open(tmp_path, database_url=postgresql_url) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def any_stage(request: pytest.FixtureRequest) -> Stage:
    """Once of each kind."""
    name = {"sqlite": "stage", "postgresql": "postgresql_stage"}[request.param]
    opened: Stage = request.getfixturevalue(name)
    return opened
