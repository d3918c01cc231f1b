"""All wings' tables, as Alembic sees them, and the one call that brings a database up to date."""

import asyncio
import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import bot.flights.tables
import bot.tables
import indexer.tables
import payments.tables
import runtime.tables
from runtime.clock import SystemClock
from runtime.database import Database, sync_engine
from runtime.errors import LayoverError
from runtime.jobs import Jobs

METADATA = [
    runtime.tables.metadata,
    indexer.tables.metadata,
    payments.tables.metadata,
    bot.tables.metadata,
    bot.flights.tables.metadata,
]
URL_VARIABLE = "DATABASE_URL"
OUR_TABLES = frozenset(name for metadata in METADATA for name in metadata.tables)


class NoDatabaseUrl(LayoverError):
    def __init__(self, variable: str) -> None:
        super().__init__(f"{variable} is not set: say which database is meant")


class SchemaBehind(LayoverError):
    def __init__(self, found: str | None, wanted: str) -> None:
        super().__init__(
            f"the database's schema is at {found or 'nothing'}, this release needs {wanted}: run 'layover migrate'"
        )


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Alembic leaves the job engine's own tables alone."""
    return kind != "table" or name in OUR_TABLES


def database_url(variable: str) -> str:
    url = os.environ.get(variable)
    if not url:
        raise NoDatabaseUrl(variable)
    return url


def upgrade(url: str) -> None:
    """Bring the database to this release's schema. Safe to repeat; blocking, so call it in a thread."""
    engine = sync_engine(url)
    try:
        with engine.begin() as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


async def bring_up_to_date(url: str) -> None:
    """Our tables and the job engine's. Safe to repeat."""
    await asyncio.to_thread(upgrade, url)
    async with Database.open(url) as database:
        await Jobs(database, SystemClock()).prepare()


def check_current(url: str) -> None:
    """Raise SchemaBehind unless the database has this release's schema. Blocking."""
    wanted = ScriptDirectory.from_config(_config()).get_current_head() or ""
    engine = sync_engine(url)
    try:
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    if found != wanted:
        raise SchemaBehind(found, wanted)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
