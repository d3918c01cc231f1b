"""Run as a process of its own by a test: takes N indexes at once and prints them."""

import asyncio
import json
import sys

from payments import addresses
from runtime.database import Database


async def main(url: str, count: int) -> None:
    async with Database.open(url) as database:

        async def take() -> int:
            async with database.transaction() as tx:
                return (await addresses.take_index(tx, "xpub-of-the-test")).index

        print(json.dumps(await asyncio.gather(*(take() for _ in range(count)))))  # noqa: T201


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
