"""The demo: two travellers, one on Telegram and one on WhatsApp, book and pay a trip by themselves.

They know only what stands in the chat: each answers what Layover says, pays what it asks for from a wallet of the local
chain, and keeps the tickets. In the end each PDF must name its traveller, the flights and the transaction.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from payments.money import Coin
from sandbox.anvil import Anvil
from sandbox.media import File
from sandbox.transcript import Event, EventKind, Message, Sender
from sandbox.traveller import Traveller
from sandbox.twilio.webhooks import WebhookAnswer
from sandbox.world import World
from scripts.demo_screen import show
from scripts.paying import Order, pay
from scripts.ticket_check import missing_words

Say = Callable[[str], None]
_WITHIN = 180.0  # seconds for both bookings; about 20 on an idle machine
_RETRY_SECONDS = 0.5
_PATIENCE = 3  # how often a traveller answers the same question
_COIN = Coin("CLAYER", 18)
_ADDRESS = re.compile(r"\s*(0x[0-9a-fA-F]{40})\s*")
_EMPHASIS = re.compile(r"[*_`]")  # WhatsApp's marks stand in the text
_AMOUNT = re.compile(r"send exactly \*?([\d.,]+) CLAYER")  # bold is marked on WhatsApp


class DemoFailed(Exception):
    """A traveller holds no ticket, or a wrong one."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the traveller books for: the name as in the passport, and what is said about them."""

    name: str
    details: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a traveller wants, and a change of mind when asked whether it is right."""

    trip: str
    correction: str
    people: tuple[Person, ...]
    choice: str  # the number of the offer
    via_contract: bool  # paid from a wallet that is a contract


@dataclass
class Progress:
    """How far a traveller has come."""

    corrected: bool = False
    asked: Counter[str] = field(default_factory=Counter)
    amount: int | None = None  # wei asked for
    transaction: str | None = None
    flights: tuple[str, ...] = ()
    tickets: dict[str, File] = field(default_factory=dict)  # by name: one that comes twice is one ticket


async def play(world: World, anvil: Anvil, folder: Path, *, say: Say) -> None:
    """Both bookings at once, told as they happen; the tickets go to ``folder``. Raises DemoFailed."""
    out, back = (date.today() + timedelta(days=days) for days in (30, 44))
    bookers = (
        Booker(world.telegram_user("Ada"), _for_two(out, back), anvil),
        Booker(world.whatsapp_user("Zoë"), _for_one(out), anvil),
    )
    say("Two travellers write to Layover.\n")
    async with asyncio.TaskGroup() as screens:
        shown = [screens.create_task(show(booker.traveller.conversation, say)) for booker in bookers]
        try:
            async with asyncio.timeout(_WITHIN), asyncio.TaskGroup() as bookings:
                for booker in bookers:
                    bookings.create_task(booker.book())
        except TimeoutError:
            say(f"The time is up: {_WITHIN:.0f} s.")  # who has no ticket is found out below
        for screen in shown:
            screen.cancel()
    tickets = folder / "tickets"
    problems = [problem for booker in bookers for problem in booker.keep_tickets(tickets, say)]
    if problems:
        raise DemoFailed("The demo failed:\n" + "\n".join(problems))
    say(f"\nBoth travellers hold their tickets. They lie in {tickets}")


def _for_two(out: date, back: date) -> Plan:
    people = (
        Person("Ada Obi", "Ada Obi, 3 May 1990, female, ada@example.com, +234 803 123 4567"),
        Person("Tunde Obi", "Tunde Obi, 17 August 1988, male"),
    )
    trip = f"two adults Lagos to London on {_day(out)}, back on {_day(back)}, economy"
    return Plan(trip, "make it premium economy", people, choice="1", via_contract=False)


def _for_one(out: date) -> Plan:
    people = (Person("Zoë Šimić", "Zoë Šimić, 29 February 1996, female, zoe@example.com, +385 91 234 5678"),)
    trip = f"one adult Zagreb to Lisbon on {_day(out)}, one way, economy"
    return Plan(trip, "make it business", people, choice="2", via_contract=True)


def _day(when: date) -> str:
    return f"{when.day} {when:%B %Y}"


class Booker:
    """Answers what Layover says until every ticket is there.

    ``expects_repeats``: the daemon is interrupted meanwhile, so a message may come twice; the second is only read.
    """

    def __init__(self, traveller: Traveller, plan: Plan, anvil: Anvil, *, expects_repeats: bool = False) -> None:
        self.traveller = traveller
        self._plan = plan
        self._anvil = anvil
        self._expects_repeats = expects_repeats
        self._progress = Progress()

    @property
    def has_all_tickets(self) -> bool:
        return len(self._progress.tickets) == len(self._plan.people)

    async def book(self) -> None:
        """Raises DemoFailed where Layover turns in circles. Has no time limit of its own."""
        await self._say("/start")
        read = 0
        while not self.has_all_tickets:
            event = await self.traveller.conversation.wait(_is_from_layover, read)
            assert event.message is not None
            if read == 0:
                await self._say(self._plan.trip)
            else:
                await self._answer(event.message)
            read = event.number

    async def _answer(self, message: Message) -> None:
        """React to one message. What needs no answer is only read."""
        said, progress = _EMPHASIS.sub("", message.text), self._progress
        progress.asked[said] += bool(said)
        if progress.asked[said] > _PATIENCE:
            raise DemoFailed(f"{self.traveller.name} was asked the same {_PATIENCE} times: {said}")
        if self._expects_repeats and progress.asked[said] > 1:
            return
        if message.kind == "document" and message.file is not None:
            progress.tickets[message.file.filename] = message.file
        elif "Is that right?" in said and not progress.corrected:
            progress.corrected = True
            await self._say(self._plan.correction)
        elif "Is that right?" in said or "Everything else as before" in said:
            await self._choose("Yes, search", message)
        elif re.search(r"\d+ offers", said):
            await self._choose(self._plan.choice, message)
        elif "Who is flying?" in said or re.search(r"Traveller \d of \d", said):
            await self._introduce(said)
        elif "how would you like to pay" in said:
            progress.flights = flights_in(said)
            await self._choose("On-chain", message)
        elif asked := _AMOUNT.search(said):
            progress.amount = _COIN.units(Decimal(asked[1].replace(",", "")))
        elif (address := _ADDRESS.fullmatch(said)) and progress.amount and not progress.transaction:
            progress.transaction = await self._pay(address[1], progress.amount)

    async def _introduce(self, question: str) -> None:
        number = re.search(r"Traveller (\d) of \d", question)
        await self._say(self._plan.people[int(number[1]) - 1 if number else 0].details)

    async def _choose(self, label: str, message: Message) -> None:
        """Press the button; without one, write the number that stands before it, or the words themselves."""
        if message.button(label) is not None:
            await self._get_through(await self.traveller.press(label, message))
            return
        numbered = re.search(rf"^(\d+)\. {re.escape(label)}$", message.text, re.MULTILINE)
        await self._say(numbered[1] if numbered else label)

    async def _say(self, text: str) -> None:
        await self._get_through(await self.traveller.say(text))

    async def _get_through(self, answer: object) -> None:
        """Telegram keeps what nobody fetches. Twilio is told here to try again, as its connection overrides do."""
        while isinstance(answer, WebhookAnswer) and not answer.accepted:
            await asyncio.sleep(_RETRY_SECONDS)
            answer = await self.traveller.redeliver()

    async def _pay(self, address: str, wei: int) -> str:
        order = Order(address, (wei,), self._plan.via_contract)
        [transaction] = await pay(self._anvil, order, _COIN, say=lambda told: None)
        return transaction

    def keep_tickets(self, folder: Path, say: Say) -> list[str]:
        """Write the tickets down and check them. Returns what is wrong with them."""
        folder.mkdir(parents=True, exist_ok=True)
        progress, name = self._progress, self.traveller.name
        for ticket in progress.tickets.values():
            (folder / f"{self.traveller.conversation.channel}-{ticket.filename}").write_bytes(ticket.content)
        if not (progress.transaction and progress.flights and self.has_all_tickets):
            return [f"{name} got {len(progress.tickets)} of {len(self._plan.people)} tickets."]
        problems = []
        for person, ticket in zip(self._plan.people, progress.tickets.values(), strict=True):
            words = (*person.name.split(), *progress.flights, progress.transaction)
            if missing := missing_words(ticket.content, words):
                problems.append(f"{name}'s ticket {ticket.filename} does not say {', '.join(missing)}.")
            else:
                say(f"{ticket.filename} names {person.name}, {', '.join(progress.flights)} and {progress.transaction}.")
        return problems


def flights_in(said: str) -> tuple[str, ...]:
    """The flight numbers of an itinerary: the last words of a line such as ``10:55 LOS → 16:35 LHR · 6 h · SA 1``."""
    directions = [line for line in said.splitlines() if "→" in line and "·" in line]
    return tuple(flight.strip() for line in directions for flight in line.rpartition("·")[2].split(","))


def _is_from_layover(event: Event) -> bool:
    """A new message; an edit tells nothing that needs an answer."""
    return event.kind is EventKind.MESSAGE and event.message is not None and event.message.sender is Sender.BOT
