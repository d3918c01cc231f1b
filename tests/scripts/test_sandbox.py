"""scripts/sandbox: two travellers book by themselves, and the exit code says whether both hold their tickets."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "scripts.run_sandbox", "--free-ports")


@pytest.fixture
async def started() -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """What a test starts, and is stopped after it."""
    processes: list[asyncio.subprocess.Process] = []
    yield processes
    for process in processes:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _start(started: list[asyncio.subprocess.Process], *options: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *options, cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    started.append(process)
    return process


async def test_the_demo_books_on_both_channels_and_says_where_the_tickets_lie(
    started: list[asyncio.subprocess.Process],
) -> None:
    demo = await _start(started, "--demo", "--block-time", "0.5")
    async with asyncio.timeout(240):
        told = (await demo.communicate())[0].decode()
    assert demo.returncode == 0, told[-4000:]
    folder = Path(told.partition("They lie in ")[2].splitlines()[0])
    assert len([name for name in os.listdir(folder) if name.endswith(".pdf")]) == 3
    for words in ("Telegram · Ada", "WhatsApp · Zoë", "3 of 3", "You are booked."):
        assert words in told


async def test_it_runs_until_ctrl_c_and_then_stops_cleanly(started: list[asyncio.subprocess.Process]) -> None:
    sandbox = await _start(started)
    assert sandbox.stdout is not None
    async with asyncio.timeout(90):
        while b"Stop  " not in (line := await sandbox.stdout.readline()):
            assert line, "it ended by itself"
        sandbox.send_signal(signal.SIGINT)
        rest = (await sandbox.communicate())[0].decode()
    assert (sandbox.returncode, rest.strip()) == (0, "Stopping …")
