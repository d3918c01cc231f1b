"""The whole of Layover on one machine: the sandbox's world, a chain, and the daemon as a process that can be killed."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path

from bot.schema import bring_up_to_date
from runtime.database import Database
from sandbox.anvil import Anvil
from sandbox.traveller import Traveller
from sandbox.world import World
from scripts.daemon_process import DaemonProcess, configuration
from scripts.demo import Booker, Person, Plan

BLOCK_TIME = 0.3  # seconds


class Stage:
    """``variables`` are the daemon's environment; change them before a start, not while it runs."""

    def __init__(self, world: World, anvil: Anvil, folder: Path, variables: dict[str, str]) -> None:
        self.world = world
        self.anvil = anvil
        self.folder = folder
        self.variables = variables
        self._daemon: DaemonProcess | None = None
        self._changing = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        folder: Path,
        *,
        database_url: str | None = None,
        block_time: float | None = BLOCK_TIME,
        chain_state: Path | None = None,
    ) -> AsyncIterator["Stage"]:
        """The world and the chain run, the daemon does not yet. ``database_url``: by default SQLite in ``folder``.

        ``block_time`` None: a block for each transaction, and those that the test mines. ``chain_state``: a file from
        which the chain goes on after its node was killed.
        """
        async with Anvil.start(block_time=block_time, state_file=chain_state) as anvil, World.start() as world:
            variables = configuration(world, anvil, port=_steady_port(), folder=folder)
            if database_url is not None:
                variables["DATABASE_URL"] = database_url
                await bring_up_to_date(database_url)
            world.connect(variables["BASE_URL"])
            stage = cls(world, anvil, folder, variables)
            try:
                yield stage
            finally:
                if stage._daemon is not None:
                    await stage._daemon.stop()

    @property
    def daemon(self) -> DaemonProcess:
        assert self._daemon is not None, "the daemon does not run: start_daemon()"
        return self._daemon

    async def start_daemon(self, *, ready: bool = True) -> None:
        """Start it, or start it again: on the same port and the same database. ``ready``: wait until it is."""
        async with self._changing:
            await self._start()
        if ready:
            await self.daemon.wait_until_ready()

    async def _start(self) -> None:
        assert self._daemon is None, "the daemon runs already"
        self._daemon = await DaemonProcess.spawn(self.variables, self.folder)

    async def kill_daemon(self) -> None:
        """kill -9, by its process id."""
        daemon, self._daemon = self.daemon, None
        await daemon.kill()

    async def replace_daemon(self) -> None:
        """kill -9, and another one is started at once; it may not be ready yet, so the next may kill it early."""
        async with self._changing:
            await self.kill_daemon()
            await self._start()

    async def stop_daemon(self) -> int:
        """SIGTERM; the exit code. Killed (-9) where it does not go within the time it promises."""
        daemon, self._daemon = self.daemon, None
        return await daemon.stop()

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """The daemon's database, to look at from outside."""
        async with Database.open(self.variables["DATABASE_URL"]) as database:
            yield database

    def booker(self, traveller: Traveller, plan: Plan) -> Booker:
        """A traveller who books by themselves, and who is not confused by a message that comes twice."""
        return Booker(traveller, plan, self.anvil, expects_repeats=True)


def plan_for_two(number: int = 1) -> Plan:
    """A round trip for two, paid from an ordinary wallet. ``number`` makes names that differ."""
    out, back = (_day(days) for days in (30, 44))
    name, other = f"Ada {_WORDS[number % len(_WORDS)]}", f"Tunde {_WORDS[number % len(_WORDS)]}"
    people = (
        Person(name, f"{name}, 3 May 1990, female, ada@example.com, +234 803 123 4567"),
        Person(other, f"{other}, 17 August 1988, male"),
    )
    trip = f"two adults Lagos to London on {out}, back on {back}, economy"
    return Plan(trip, "make it premium economy", people, choice="1", via_contract=False)


def plan_for_one(number: int = 1) -> Plan:
    """One way for one, paid through a contract."""
    name = f"Zoë {_WORDS[number % len(_WORDS)]}"
    people = (Person(name, f"{name}, 29 February 1996, female, zoe@example.com, +385 91 234 5678"),)
    trip = f"one adult Zagreb to Lisbon on {_day(30)}, one way, economy"
    return Plan(trip, "make it business", people, choice="2", via_contract=True)


async def until(condition: Callable[[], Awaitable[bool]], *, within: float, what: str) -> None:
    """Wait for a condition that only asking can tell. Raises AssertionError that says ``what`` did not come."""
    try:
        async with asyncio.timeout(within):
            while True:
                if await condition():
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {within:g} s") from None


_WORDS = ("Obi", "Šimić", "Adeyemi", "Moreau", "Lindqvist", "Okafor", "Novák", "Tanaka")


def _day(ahead: int) -> str:
    when = date.today() + timedelta(days=ahead)
    return f"{when.day} {when:%B %Y}"


def _steady_port() -> int:
    """A free port below those that the system lends to outgoing connections: still free after the daemon died."""
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
