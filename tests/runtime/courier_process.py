"""A process that sends letters by printing them, and dies after it has sent "b", or ends after it has sent "c".

Usage: courier_process.py DATABASE_URL {die|live}
"""

import asyncio
import os
import signal
import sys

from runtime.clock import SystemClock
from runtime.database import Database
from runtime.outbox import Courier, Letter, Outbox, Receipt


async def main(url: str, fate: str) -> None:
    async with Database.open(url) as database:

        async def deliver(letter: Letter) -> Receipt:
            text = letter.payload["text"]
            os.write(1, f"{text}\n".encode())
            if fate == "die" and text == "b":
                os.kill(os.getpid(), signal.SIGKILL)
            if text == "c":
                courier.stop()
            return Receipt((text,))

        courier = Courier(
            database, SystemClock(), Outbox(SystemClock()), channel="telegram", deliver=deliver, deliver_seconds=0.3
        )
        await courier.run()


asyncio.run(main(*sys.argv[1:]))
