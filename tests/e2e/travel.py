"""A traveller's way through a booking in plain words, the same on both channels, stopped where a test wants to act."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import aiohttp

from payments.money import Coin
from payments.payment import State
from payments.store import target_at_address
from sandbox.transcript import Event, EventKind, Message, Sender
from sandbox.traveller import Traveller
from tests.e2e.stage import Stage, until

COIN = Coin("CLAYER", 18)
ONE = 10**18  # wei; what every trip costs here (CIRCLE_LAYER_FIXED_AMOUNT)
ADDRESS = re.compile(r"^0x[0-9a-fA-F]{40}$")
AMOUNT = re.compile(r"send exactly ([\d.,]+) CLAYER")
OFFERS = re.compile(r"\d+ offers")
DETAILS = "29 February 1996, female, zoe@example.com, +385 91 234 5678"
WITHIN = 30.0  # seconds for one answer; far less than one on an idle machine


@dataclass(frozen=True, slots=True)
class Due:
    """What the chat asks to be paid."""

    address: str
    wei: int


def plain(message: Message) -> str:
    """Without WhatsApp's marks for bold, italic and code."""
    return re.sub(r"[*_`]", "", message.text)


async def hear(traveller: Traveller, words: str | re.Pattern[str], *, since: int | None = None) -> str:
    """The next message with these words, whatever their style."""

    def says(message: Message) -> bool:
        return re.search(words if isinstance(words, re.Pattern) else re.escape(words), plain(message)) is not None

    return plain(await traveller.expect(says, within=WITHIN, since=since))


def is_from_layover(event: Event) -> bool:
    """A new message of the bot; edits tell nothing that needs an answer."""
    return event.kind is EventKind.MESSAGE and event.message is not None and event.message.sender is Sender.BOT


def trip(origin: str = "Zagreb", destination: str = "Lisbon", *, days: int = 30) -> str:
    when = date.today() + timedelta(days=days)
    return f"one adult {origin} to {destination} on {when.day} {when:%B %Y}, one way, economy"


async def ask_for_trip(traveller: Traveller) -> None:
    await traveller.say(trip())
    await hear(traveller, "Is that right?")


async def search(traveller: Traveller) -> None:
    await traveller.say("yes")
    await hear(traveller, OFFERS)


async def choose(traveller: Traveller) -> None:
    await traveller.say("1")
    await hear(traveller, "Who is flying?")


async def introduce(traveller: Traveller, name: str) -> None:
    await traveller.say(f"{name}, {DETAILS}")
    await hear(traveller, "how would you like to pay")


async def start_paying(traveller: Traveller) -> Due:
    await traveller.say("On-chain")
    return await read_due(traveller)


async def read_due(traveller: Traveller) -> Due:
    """The amount, and the address in the message after it."""
    asked = AMOUNT.search(await hear(traveller, AMOUNT))
    assert asked is not None
    address = await hear(traveller, ADDRESS)
    return Due(address, COIN.units(Decimal(asked[1].replace(",", ""))))


async def book(traveller: Traveller, name: str = "Zoë Šimić") -> Due:
    """Everything up to what is to be paid."""
    await ask_for_trip(traveller)
    await search(traveller)
    await choose(traveller)
    await introduce(traveller, name)
    due = await start_paying(traveller)
    assert due.wei == ONE
    return due


async def ticket(traveller: Traveller, *, since: int | None = None) -> Message:
    """The PDF, when it is there."""
    return await traveller.expect(lambda message: message.kind == "document", within=WITHIN, since=since)


async def state_of(stage: Stage, due: Due) -> State:
    """The payment's state in the daemon's database."""
    async with stage.database() as database, database.snapshot() as connection:
        target = await target_at_address(connection, due.address)
    assert target is not None
    return target.state


async def health(stage: Stage) -> tuple[int, dict[str, dict[str, object]]]:
    """GET /health: the status and what it tells of each part."""
    async with aiohttp.ClientSession() as http, http.get(f"{stage.variables['BASE_URL']}/health") as answer:
        body = await answer.json()
        return answer.status, body["parts"]


async def until_ready(stage: Stage) -> None:
    async def is_ready() -> bool:
        return (await health(stage))[0] == 200

    await until(is_ready, within=WITHIN, what="the daemon is ready again")


def faults_in_log(stage: Stage) -> list[str]:
    """Lines of the daemon's log that tell of an error, and exceptions."""
    lines = stage.daemon.log.read_text(errors="replace").splitlines()
    return [line for line in lines if re.search(r"\[error|Traceback|Exception|fact_failed|fact_dead", line)]


@asynccontextmanager
async def watched_health(stage: Stage) -> AsyncIterator[list[int]]:
    """The statuses that /health gave meanwhile, asked again and again."""
    statuses: list[int] = []

    async def ask() -> None:
        while True:
            statuses.append((await health(stage))[0])
            await asyncio.sleep(0.25)

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(ask())
        yield statuses
        asking.cancel()
