"""Layover's daemon as a child process, configured for the sandbox."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bot.settings import variable_names
from indexer.addresses import account_xpub
from sandbox.anvil import Anvil
from sandbox.child_process import ChildProcess
from sandbox.world import World

# The merchant's account in the sandbox: a test vector of BIP-39, known to everybody. Not Anvil's own mnemonic, whose
# addresses hold money already.
MERCHANT_MNEMONIC = "legal winner thank year wave sausage worth useful legal winner thank yellow"
_READY_WITHIN = 60.0  # seconds; about 5 on an idle machine
_STOP_WITHIN = 12.0  # seconds; the daemon promises 10


class DaemonFailed(Exception):
    """It did not start, or ended by itself. The message shows the end of its log."""


def configuration(world: World, anvil: Anvil, *, port: int, folder: Path) -> dict[str, str]:
    """The daemon's variables: the world's servers in the companies' place, data in ``folder``."""
    return {
        "TELEGRAM_BOT_TOKEN": world.telegram_token,
        "TELEGRAM_API_BASE_URL": world.telegram_url,
        "TWILIO_ACCOUNT_SID": world.twilio_sid,
        "TWILIO_AUTH_TOKEN": world.twilio_token,
        "TWILIO_WHATSAPP_NUMBER": world.whatsapp_number,
        "TWILIO_API_BASE_URL": world.twilio_url,
        "BASE_URL": f"http://127.0.0.1:{port}",
        "PORT": str(port),
        "DATABASE_URL": f"sqlite:///{folder / 'layover.db'}",
        "ADMIN_SECRET_KEY": secrets.token_urlsafe(24),
        "LOG_FORMAT": "console",
        "CIRCLE_LAYER_RPC_URL": anvil.http_url,
        "CIRCLE_LAYER_WS_URL": anvil.ws_url,
        "CIRCLE_LAYER_NETWORK_NAME": "Circle Layer (sandbox)",
        "CIRCLE_LAYER_MERCHANT_XPUB": account_xpub(MERCHANT_MNEMONIC),
        "CIRCLE_LAYER_FIXED_AMOUNT": "1",
    }


class DaemonProcess:
    """The running daemon; ``log`` is where it writes."""

    def __init__(self, process: ChildProcess, base_url: str, log: Path) -> None:
        self._process = process
        self.base_url = base_url
        self.log = log

    @classmethod
    @asynccontextmanager
    async def start(cls, variables: Mapping[str, str], folder: Path) -> AsyncIterator["DaemonProcess"]:
        """Ready inside the block, stopped in order at its end. Raises DaemonFailed."""
        daemon = await cls.spawn(variables, folder)
        try:
            await daemon.wait_until_ready()
            yield daemon
        finally:
            await daemon.stop()

    @classmethod
    async def spawn(cls, variables: Mapping[str, str], folder: Path) -> "DaemonProcess":
        """Only started: it may not be ready yet. To be ended by ``stop`` or ``kill``."""
        log = folder / "daemon.log"
        with log.open("ab") as output:
            process = await ChildProcess.spawn(
                *(sys.executable, "-m", "bot", "run"),
                output=output,
                environment={**_own_surroundings(), **variables},
                folder=folder,  # where no .env lies
            )
        return cls(process, variables["BASE_URL"], log)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def stop(self) -> int:
        """Ask it to stop (SIGTERM), kill it where it does not. Returns the exit code: -9 where it was killed."""
        return await self._process.stop(patience=_STOP_WITHIN)

    async def kill(self) -> None:
        """kill -9: it gets no chance to put anything in order."""
        await self._process.kill()

    async def ended(self) -> None:
        """Waits for as long as the daemon runs. Raises DaemonFailed when it ends by itself."""
        code = await self._process.wait()
        raise DaemonFailed(f"The daemon ended with exit code {code}.\n{self._tail()}")

    async def wait_until_ready(self) -> None:
        """Raises DaemonFailed when it ends by itself or is not ready in time."""
        try:
            async with asyncio.timeout(_READY_WITHIN), aiohttp.ClientSession() as http:
                while not await self._is_ready(http):
                    if self._process.returncode is not None:
                        await self.ended()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise DaemonFailed(f"The daemon was not ready within {_READY_WITHIN:.0f} s.\n{self._tail()}") from None

    async def _is_ready(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"{self.base_url}/health") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    def _tail(self, size: int = 4000) -> str:
        return f"The end of {self.log}:\n{self.log.read_text(errors='replace')[-size:]}"


def _own_surroundings() -> dict[str, str]:
    """This process's variables, without those that would configure another Layover."""
    foreign = set(variable_names())
    return {name: value for name, value in os.environ.items() if name not in foreign}
