"""The migrations and the tables tell the same story, on both databases."""

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot import schema
from runtime.database import sync_engine


def _differences(url: str) -> list[object]:
    engine = sync_engine(url)
    try:
        with engine.connect() as connection:
            options = {"include_name": schema.is_ours, "compare_type": True}
            context = MigrationContext.configure(connection, opts=options)
            return list(compare_metadata(context, schema.METADATA))  # type: ignore[arg-type]
    finally:
        engine.dispose()


async def test_a_migrated_database_has_exactly_the_tables_that_the_code_knows(database_url: str) -> None:
    await schema.bring_up_to_date(database_url)
    await schema.bring_up_to_date(database_url)  # safe to repeat

    assert await asyncio.to_thread(_differences, database_url) == []
    await asyncio.to_thread(schema.check_current, database_url)


async def test_a_database_that_was_not_migrated_is_refused_with_the_command_to_run(database_url: str) -> None:
    with pytest.raises(schema.SchemaBehind, match="run 'layover migrate'"):
        await asyncio.to_thread(schema.check_current, database_url)


def test_the_newest_revision_is_told_by_the_files_names() -> None:
    """The daemon compares by it, without Alembic."""
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))

    assert schema.newest_revision() == scripts.get_current_head()
