"""A process that writes rows in many units at once and says which ones it was told are durable, until killed.

Usage: writer_process.py DATABASE_URL
"""

import asyncio
import os
import sys

import sqlalchemy as sa

from runtime.database import Database


async def main(url: str) -> None:
    async with Database.open(url) as database:
        async with database.transaction() as tx:
            await tx.execute(sa.text("CREATE TABLE numbers (number INTEGER PRIMARY KEY)"))

        async def write(first: int) -> None:
            for number in range(first, 1_000_000, 20):
                async with database.transaction() as tx:
                    await tx.execute(sa.text("INSERT INTO numbers VALUES (:number)"), {"number": number})
                os.write(1, f"{number}\n".encode())

        async with asyncio.TaskGroup() as group:
            for first in range(20):
                group.create_task(write(first))


asyncio.run(main(*sys.argv[1:]))
