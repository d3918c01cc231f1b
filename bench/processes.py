"""What the benchmark's own processes say."""

import asyncio
from pathlib import Path

_WITHIN = 20.0  # seconds


async def spoken(file: Path) -> str:
    """The first line that a process writes into that file."""
    async with asyncio.timeout(_WITHIN):
        while not (said := await asyncio.to_thread(file.read_text)).endswith("\n"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # its only word is in that file
    return said.splitlines()[0]
