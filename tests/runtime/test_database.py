import sqlalchemy as sa

from runtime.database import Database


async def test_a_unit_of_work_is_kept(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(sa.text("CREATE TABLE notes (text VARCHAR(20))"))
    async with database.transaction() as tx:
        await tx.execute(sa.text("INSERT INTO notes VALUES ('kept')"))
    async with database.snapshot() as connection:
        assert (await connection.execute(sa.text("SELECT text FROM notes"))).scalar_one() == "kept"
