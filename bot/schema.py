"""All wings' tables, as Alembic sees them, and the one call that brings a database up to date.

Alembic is imported only where there is something to migrate: a daemon whose database is up to date does without.
"""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

import bot.flights.tables
import bot.tables
import indexer.tables
import payments.tables
import runtime.tables
from runtime.clock import SystemClock
from runtime.database import Database, sync_engine
from runtime.errors import LayoverError
from runtime.jobs import Jobs

if TYPE_CHECKING:
    from alembic.config import Config

METADATA = [
    runtime.tables.metadata,
    indexer.tables.metadata,
    payments.tables.metadata,
    bot.tables.metadata,
    bot.flights.tables.metadata,
]
_VERSION = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32)))  # Alembic's own
_MIGRATIONS = Path(__file__).parent / "migrations"
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
    if current_revision(url) == newest_revision():
        return
    from alembic import command

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
    found, wanted = current_revision(url), newest_revision()
    if found != wanted:
        raise SchemaBehind(found, wanted)


def current_revision(url: str) -> str | None:
    """Where the database's schema is; None where it has none. Blocking."""
    engine = sync_engine(url)
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table(_VERSION.name):
                return None
            return connection.scalar(sa.select(_VERSION.c.version_num))
    finally:
        engine.dispose()


def newest_revision() -> str:
    """What this release needs. The files in migrations/versions are named after their revisions, which count up."""
    return max(file.stem.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config
