"""The durable core in this process, put together as the daemon does it: it lives until its power goes, and lives again.

The channel is a list of what was delivered, the chain is written by hand; both are the world outside, which goes on
when a life ends. What a traveller does is put into the inbox as a channel does it: told again under the same id until
it is known to be written down.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from prometheus_client import CollectorRegistry

from bot.channels.codec import CHAT, dump_inbound, load_outbound
from bot.channels.model import Channel, ChatId, Inbound
from bot.conversation.agent import Agent
from bot.conversation.context import PayingFacts
from bot.conversation.facts import ChatFacts
from bot.documents import Documents
from bot.flights.model import FlightSource
from bot.flights.places import Gazetteer
from bot.flights.timetable import TimetableSource
from bot.fulfilment import FULFIL, Fulfilment
from bot.metrics import BusinessMetrics
from bot.payment_news import PaymentNews
from bot.searching import SearchService
from bot.web.links import SignedLinks
from indexer.addresses import AddressBook, account_xpub
from indexer.model import Deposit
from payments.checkout import Checkout, PaymentTimer
from payments.evidence import Evidence
from payments.methods.clayer import ClayerConfig, ClayerMethod, payment_uri
from payments.methods.clayer_evidence import ChainEvidence
from payments.methods.port import PaymentMethod
from payments.money import Coin
from payments.payment import Method
from runtime.backoff import Backoff
from runtime.cache import MemoryCache
from runtime.clock import SystemClock, SystemIds
from runtime.database import Database
from runtime.inbox import Inbox, InboxWorker
from runtime.jobs import Jobs
from runtime.outbox import Courier, Deliver, Letter, Outbox, Receipt
from runtime.services import Service
from tests.e2e.books import is_settled
from tests.e2e.power import Cut, FragileDatabase, Power
from tests.e2e.stage import until
from tests.hand_chain import HandChain

CHAIN_ID, COIN = 28525, Coin("CLAYER", 18)
XPUB = account_xpub("test test test test test test test test test test test junk")  # the public development mnemonic
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass
class Delivered:
    """What one chat was sent, in order. A letter in a slot is one message that changes."""

    letters: list[Letter] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, letter: Letter) -> None:
        self.letters.append(letter)
        self._news.set()
        self._news = asyncio.Event()

    def find(self, accepts: Callable[[str], bool]) -> str | None:
        """The text (or the attachment's name) of the first letter that is accepted."""
        return next((words for letter in self.letters if accepts(words := _words(letter))), None)

    async def hear(self, accepts: Callable[[str], bool]) -> str:
        while (words := self.find(accepts)) is None:
            await self._news.wait()
        return words

    @property
    def times(self) -> Counter[int]:
        """How often each letter came, those left out that only bring a message up to date."""
        return Counter(letter.id for letter in self.letters if letter.slot is None)

    @property
    def texts(self) -> list[str]:
        return [_words(letter) for letter in self.letters]

    @property
    def tickets(self) -> list[str]:
        """File names, without those of repeated letters."""
        letters = {letter.id: letter for letter in self.letters}.values()
        return [words for letter in letters if (words := _words(letter)).endswith(".pdf")]


def _words(letter: Letter) -> str:
    outbound = load_outbound(letter.payload)
    if outbound.attachment is not None:
        return outbound.attachment.filename
    return "".join(span.text for span in outbound.text)


@dataclass
class Outside:
    """The world that no power cut of ours reaches."""

    chain: HandChain = field(default_factory=lambda: HandChain(SystemClock()))
    chats: dict[str, Delivered] = field(default_factory=dict)
    airline: Callable[[FlightSource], FlightSource] = lambda source: source  # stands before the timetable

    async def deliver(self, letter: Letter) -> Receipt:
        chat = self.chats.setdefault(letter.lane, Delivered())
        await asyncio.sleep(0)  # as a real one, it takes a moment in which anything may happen
        chat.add(letter)
        return Receipt((f"{letter.lane}/{len(chat.letters)}",))


class Core:
    """One life's parts."""

    def __init__(self, database: Database, outside: Outside, gazetteer: Gazetteer) -> None:
        clock, ids = SystemClock(), SystemIds()
        self.database = database
        self.inbox, self.outbox = Inbox(clock), Outbox(clock)
        facts, jobs = ChatFacts(self.inbox), Jobs(database, clock, executor_id="only", stop_seconds=0)
        documents, metrics = Documents(database), BusinessMetrics(CollectorRegistry())
        source = outside.airline(TimetableSource(database, clock, gazetteer))
        fulfilment = Fulfilment(
            database=database,
            clock=clock,
            source=source,
            documents=documents,
            links=SignedLinks("http://127.0.0.1", b"only for the tests of crashes", clock),
            facts=facts,
            chain=outside.chain,
            network="by hand",
            explorer_url=lambda tx_hash: None,
            metrics=metrics,
            at_once=Backoff(first=0.05, attempts=3),
            patience=Backoff(first=0.1, ceiling=0.2, attempts=50),
        )
        jobs.register(FULFIL, fulfilment.run)
        news = PaymentNews(facts, jobs, clock, metrics)
        evidence = Evidence(clock, news)
        terms = ClayerConfig(COIN, CHAIN_ID, XPUB, None, Decimal(1), timedelta(hours=1), timedelta(seconds=1))
        book = AddressBook(XPUB)
        methods: dict[Method, PaymentMethod] = {
            Method.CLAYER: ClayerMethod(terms, database, outside.chain, book.address, clock)
        }
        timer = PaymentTimer(database, methods, evidence, news, clock)
        checkout = Checkout(methods, evidence, clock, ids, timer.wake)
        paying = PayingFacts(
            methods=checkout.offered,
            network="by hand",
            confirmations=3,
            transaction_link=lambda tx_hash: None,
            payment_link=lambda payment: payment_uri(payment, CHAIN_ID),
        )
        search = SearchService(database, clock, source, facts, MemoryCache())
        agent = Agent(
            clock=clock,
            ids=ids,
            outbox=self.outbox,
            documents=documents,
            checkout=checkout,
            gazetteer=gazetteer,
            paying=paying,
            wake_search=search.wake,
        )
        self.services: list[Service] = [
            jobs,
            timer,
            search,
            InboxWorker(database, clock, self.inbox, topic=CHAT, handler=agent.handle),
            ChainEvidence(database, outside.chain, evidence),
            self._courier(outside.deliver),
        ]

    def _courier(self, deliver: Deliver) -> Courier:
        """On PostgreSQL a letter stays claimed by the dead for ``deliver_seconds`` and a while."""
        return Courier(
            self.database,
            SystemClock(),
            self.outbox,
            channel=Channel.TELEGRAM,
            deliver=deliver,
            deliver_seconds=0.5,
        )


class Trip:
    """A traveller who books a trip for two, step by step; the steps outlast the lives that they are taken in."""

    def __init__(self, outside: Outside, number: int) -> None:
        self.chat = f"{Channel.TELEGRAM}:{number}"
        self.delivered = outside.chats.setdefault(self.chat, Delivered())
        self._chain = outside.chain
        self._done = 0
        self._deposit: Deposit | None = None
        self._ends_with = ""
        when = date.today() + timedelta(days=30)
        self._steps: list[Callable[[Core], Coroutine[Any, Any, object]]] = [
            self._says("/start", "Where would you like to go"),
            self._says(f"two adults Lagos to London on {when.day} {when:%B %Y}, one way, economy", "Is that right?"),
            self._says("Yes, search", " offers, "),
            self._says("1", "Traveller 1 of 2"),
            self._says("Ada Obi, 3 May 1990, female, ada@example.com, +234 803 123 4567", "Traveller 2 of 2"),
            self._says("Tunde Obi, 17 August 1988, male", "how would you like to pay"),
            self._says("On-chain", "Or with this"),
            self._pays,
            self._waits_for_confirmations,
            self._waits_for_rest,
        ]

    async def go_on(self, core: Core, ends_with: str = "Tunde-Obi.pdf") -> None:
        """From the step that was not finished, until the last thing that Layover says."""
        self._ends_with = ends_with
        while self._done < len(self._steps):
            await self._steps[self._done](core)
            self._done += 1

    def _says(self, words: str, answer: str) -> Callable[[Core], Coroutine[Any, Any, object]]:
        async def say(core: Core) -> None:
            said = Inbound(ChatId.parse(self.chat), SystemClock().now(), words)
            async with core.database.transaction() as tx:
                await core.inbox.put(
                    tx,
                    topic=CHAT,
                    source="telegram:1",
                    external_id=f"{self.chat}/{self._done}",
                    lane=self.chat,
                    payload=dump_inbound(said),
                )
            await self.delivered.hear(lambda heard: answer in heard)

        return say

    async def _pays(self, core: Core) -> None:
        address = await self.delivered.hear(lambda words: ADDRESS.fullmatch(words) is not None)
        if self._deposit is None:
            self._deposit = self._chain.pays(address, COIN.units(Decimal(1)))
        await self.delivered.hear(lambda words: "I see your payment" in words)

    async def _waits_for_confirmations(self, core: Core) -> None:
        assert self._deposit is not None
        for depth in range(self._deposit.confirmations + 1, 4):
            self._deposit = self._chain.deepen(self._deposit, depth)
            await asyncio.sleep(0.02)
        await self.delivered.hear(lambda words: self._ends_with in words)

    async def _waits_for_rest(self, core: Core) -> None:
        await until(lambda: is_settled(core.database), within=20, what="every fact handled and every letter sent")


async def live(url: str, outside: Outside, gazetteer: Gazetteer, trip: Trip, cut: Cut | None) -> tuple[bool, Power]:
    """One life: until the trip is over (True) or the power goes (False)."""
    power = Power(cut)
    async with FragileDatabase.open(url) as database:
        database.power = power
        core = Core(database, outside, gazetteer)
        async with running(core), asyncio.TaskGroup() as group:
            trip_over = group.create_task(trip.go_on(core))
            power_gone = group.create_task(power.gone.wait())
            async with asyncio.timeout(60):
                await asyncio.wait((trip_over, power_gone), return_when=asyncio.FIRST_COMPLETED)
            power.gone.set()  # also the life that comes to the trip's end ends at once
            trip_over.cancel()
            power_gone.cancel()
    return not trip_over.cancelled(), power


@asynccontextmanager
async def running(core: Core) -> AsyncIterator[None]:
    """The services, until the block is left; then all are cancelled where they are."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(service.run()) for service in core.services]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
