"""A real Ethereum node on this machine: Anvil as a child process, with Circle Layer's chain id.

It mines each transaction at once, or a block every ``block_time`` seconds, keeps its states in memory, and leaves
nothing on disk and no process behind, even when the Python process that started it is killed.
"""

import argparse
import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, Self

import aiohttp

from sandbox.anvil_binary import anvil_binary
from sandbox.child_process import ChildProcess
from sandbox.node import Node

DEV_MNEMONIC = "test test test test test test test test test test test junk"
CIRCLE_LAYER_TESTNET = 28525
_READY_WITHIN = 20.0  # seconds


class AnvilFailed(Exception):
    """The node did not start, or is not running; holds what it wrote."""


class Anvil(Node):
    """One node. Made by ``Anvil.start``; ``kill`` and ``restart`` play a node that fails."""

    def __init__(self, program: Path, options: Sequence[str], port: int, http: aiohttp.ClientSession) -> None:
        super().__init__("", http)
        self._program = program
        self._options = options
        self._port = port
        self._process: ChildProcess | None = None

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        *,
        port: int = 0,
        block_time: float | None = None,
        chain_id: int = CIRCLE_LAYER_TESTNET,
        mnemonic: str = DEV_MNEMONIC,
        accounts: int = 10,
        state_file: Path | None = None,
        history: int = 1000,
    ) -> AsyncIterator[Self]:
        """A node that answers; stopped at the end of the block.

        ``port`` 0 takes a free one. ``block_time`` in seconds: None mines a block for each transaction. ``accounts``
        dev accounts of ``mnemonic`` hold 10,000 coins each and are unlocked. ``state_file`` is written every second
        and read at start, so that ``restart`` goes on (a little in the past) where ``kill`` cut it off; without it a
        restarted node begins anew. ``history``: balances are served for that many latest blocks, from memory (about
        0.35 MB each). Raises AnvilFailed, AnvilUnavailable.
        """
        options = [
            *("--chain-id", str(chain_id), "--mnemonic", mnemonic, "--accounts", str(accounts)),
            *("--prune-history", str(history)),
            *(("--block-time", str(block_time)) if block_time is not None else ()),
            *(("--state", str(state_file), "--state-interval", "1") if state_file is not None else ()),
        ]
        program = await asyncio.to_thread(anvil_binary)
        async with aiohttp.ClientSession() as http:
            anvil = cls(program, options, port, http)
            try:
                await anvil._launch()
                yield anvil
            finally:
                await anvil._stop()

    @property
    def port(self) -> int:
        return self._port

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        return self._running.pid

    async def mine(self, blocks: int = 1) -> None:
        """Mine that many blocks at once."""
        await self.rpc("anvil_mine", hex(blocks))

    async def reorg(self, depth: int, transactions: Sequence[tuple[dict[str, Any] | str, int]] = ()) -> None:
        """Replace the ``depth`` latest blocks by as many others.

        The transactions of the replaced blocks are gone; ``transactions`` go into the new ones: (raw or unsigned
        transaction, which of the new blocks counted from 0).
        """
        await self.rpc("anvil_reorg", depth, transactions)

    async def kill(self) -> None:
        """kill -9, as if the machine had lost power."""
        await self._running.kill()

    async def restart(self) -> None:
        """Start it again on the same port, after ``kill`` or instead of it."""
        if self._running.returncode is None:
            await self._running.kill()
        await self._launch()

    def pause(self) -> None:
        """Stop it from doing anything (SIGSTOP): connections stay open and nothing comes."""
        self._running.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running.signal(signal.SIGCONT)

    @property
    def _running(self) -> ChildProcess:
        if self._process is None:
            raise AnvilFailed("the node has not been started")
        return self._process

    async def _launch(self) -> None:
        # HOME=/dev/null: whatever Anvil would like to keep under its home directory fails to be written.
        environment = {**os.environ, "HOME": os.devnull, "NO_COLOR": "1"}
        with tempfile.TemporaryFile() as output:
            self._process = await ChildProcess.spawn(
                *(str(self._program), "--host", "127.0.0.1", "--port", str(self._port), *self._options),
                output=output,
                environment=environment,
            )
            try:
                async with asyncio.timeout(_READY_WITHIN):
                    self._port = await self._listening(self._process, output)
            except TimeoutError:
                raise AnvilFailed(f"Anvil was not ready in {_READY_WITHIN:.0f} s. {_said(output)}") from None

    async def _listening(self, process: ChildProcess, output: IO[bytes]) -> int:
        """Wait until it says on which port it listens."""
        while process.returncode is None:
            if found := re.search(rb"Listening on 127\.0\.0\.1:(\d+)", _read(output)):
                return int(found[1])
            await asyncio.sleep(0.01)  # its only word is in that file
        raise AnvilFailed(f"Anvil ended with exit code {process.returncode}. {_said(output)}")

    async def _stop(self) -> None:
        if self._process is not None:
            self._process.signal(signal.SIGCONT)
            await self._process.stop(patience=3)


def _read(output: IO[bytes]) -> bytes:
    return os.pread(output.fileno(), 1 << 16, 0)


def _said(output: IO[bytes]) -> str:
    return f"It said:\n{_read(output).decode(errors='replace').strip()}"


async def _serve(options: argparse.Namespace) -> None:
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    state: Path | None = options.state
    async with Anvil.start(port=options.port, block_time=options.block_time, state_file=state) as anvil:
        sys.stdout.write(f"Anvil answers at {anvil.http_url} and {anvil.ws_url}, chain id {CIRCLE_LAYER_TESTNET}.\n")
        sys.stdout.flush()
        code = await anvil._running.wait()
        raise AnvilFailed(f"Anvil ended by itself with exit code {code}")


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.anvil", description=__doc__)
    parser.add_argument("--port", type=int, default=8545)
    parser.add_argument("--block-time", type=float, help="seconds; without it each transaction is mined at once")
    parser.add_argument("--state", type=Path, help="keep the chain's state in this file")
    try:
        asyncio.run(_serve(parser.parse_args()))
    except AnvilFailed as problem:
        sys.exit(f"{problem}")
    except (KeyboardInterrupt, asyncio.CancelledError):  # asked to stop
        pass
    return 0


if __name__ == "__main__":
    sys.exit(_main())
