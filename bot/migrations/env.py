"""Run by Alembic. The connection is handed in by ``bot.schema.upgrade``; Alembic's own command line works too."""

from alembic import context
from sqlalchemy import Connection

from bot.schema import METADATA, URL_VARIABLE, database_url, is_ours
from runtime.database import sync_engine


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        include_name=is_ours,
        compare_type=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


handed_in = context.config.attributes.get("connection")
if handed_in is not None:
    run(handed_in)
else:
    with sync_engine(database_url(URL_VARIABLE)).begin() as own:
        run(own)
