"""The web edge from outside: signed files, verification, health, metrics, and errors that keep what is inside."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from bot import tables as bot_tables
from bot.documents import Document, Documents, safe_filename
from bot.web.app import MAX_BODY, Edge, make_app
from bot.web.health import HealthReport, PartHealth
from bot.web.links import SignedLinks, TamperedLink
from bot.web.verification import TicketStatus, VerifiedTicket
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.http import HttpServer
from runtime.services import Health, State

SECRET = b"sixteen bytes or more"
ISSUED = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)
TICKET = VerifiedTicket(
    "QX4TZ7",
    "عمر <script>alert(1)</script> Obi",
    ("Fri 27 Nov 2026 10:55 LOS → 16:35 LHR, XX123",),
    TicketStatus.VALID,
    ISSUED,
)


class TurnableClock(SystemClock):
    def __init__(self) -> None:
        self.turned = timedelta()

    def now(self) -> datetime:
        return super().now() + self.turned


class World:
    """What the edge stands on, and how a test changes it."""

    def __init__(self, database: Database, url: str) -> None:
        self.database = database
        self.url = url
        self.clock = TurnableClock()
        self.links = SignedLinks(url, SECRET, self.clock)
        self.documents = Documents(database)
        self.tickets = {"tkt_1": TICKET}
        self.report = HealthReport(True, [PartHealth("web", "running", ISSUED)], ["BASE_URL", "TELEGRAM_BOT_TOKEN"])
        self.registry = CollectorRegistry()

    async def verify(self, ticket: str) -> VerifiedTicket | None:
        if ticket == "tkt_boom":
            raise RuntimeError("secret detail")
        return self.tickets.get(ticket)

    def edge(self) -> Edge:
        return Edge(self.documents, self.links, self.verify, lambda: self.report, self.registry)

    async def put(self, document_id: str, filename: str = "ticket.pdf", body: bytes = b"%PDF-1.7 x") -> None:
        document = Document(document_id, "telegram:1", filename, "application/pdf", body, self.clock.now())
        async with self.database.transaction() as tx:
            await self.documents.put(tx, document)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with database.engine.begin() as connection:
        await connection.run_sync(bot_tables.metadata.create_all)
    port = free_port()
    world = World(database, f"http://127.0.0.1:{port}")
    server = HttpServer("web", lambda: make_app(world.edge()), host="127.0.0.1", port=port)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.run())
        await server.ready.wait()
        yield world
        server.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class TestDocuments:
    """On both databases."""

    async def test_storing_twice_is_storing_once(self, world: World) -> None:
        first = Document("ticket:1", "telegram:1", "a.pdf", "application/pdf", b"\x00first\xff", ISSUED, "booking:1")
        async with world.database.transaction() as tx:
            assert await world.documents.put(tx, first)
            assert not await world.documents.put(tx, replace(first, body=b"second"))
        assert await world.documents.get("ticket:1") == first
        assert await world.documents.of_booking("booking:1") == [first]

    async def test_a_signed_link_gives_the_file_with_its_name(self, world: World, http: aiohttp.ClientSession) -> None:
        name = 'Ada "Obi" – билет.pdf'
        await world.put("ticket:bkg_1:1", name)
        async with http.get(world.links.media_url("ticket:bkg_1:1", name, timedelta(hours=1))) as answer:
            assert (answer.status, answer.content_type) == (200, "application/pdf")
            assert await answer.read() == b"%PDF-1.7 x"
            assert answer.content_disposition is not None
            assert answer.content_disposition.filename == safe_filename(name)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "no-store" in answer.headers["Cache-Control"]
        async with http.head(world.links.media_url("ticket:bkg_1:1", name, timedelta(hours=1))) as answer:
            assert (answer.status, answer.headers["Content-Length"]) == (200, "10")

    @pytest.mark.parametrize("name", ["", "../../etc/passwd", "a\r\nSet-Cookie: x", "..", "x" * 500, "\u202egpj.exe"])
    def test_a_name_cannot_leave_its_place(self, name: str) -> None:
        safe = safe_filename(name)
        assert safe
        assert len(safe) <= 150
        assert not set(safe) & set('/\\"\r\n')
        assert not safe.startswith(".")


class TestLinks:
    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    async def test_a_link_that_was_changed_is_forbidden(self, world: World, http: aiohttp.ClientSession) -> None:
        await world.put("mine")
        await world.put("yours")
        url = world.links.media_url("mine", "t.pdf", timedelta(hours=1))
        _, _, document, expires, tag, name = url.removeprefix("http://").split("/")
        for changed in (
            f"yours/{expires}/{tag}/{name}",
            f"{document}/{int(expires) + 1}/{tag}/{name}",
            f"{document}/{expires}/{'0' * len(tag)}/{name}",
            f"{document}/never/{tag}/{name}",
            f"{document}/{expires}/%ff%00/{name}",
        ):
            async with http.get(f"{world.url}/media/{changed}") as answer:
                assert answer.status == 403
                assert answer.content_type == "application/problem+json"
                assert b"%PDF" not in await answer.read()

    async def test_a_link_ends(self, world: World, http: aiohttp.ClientSession) -> None:
        await world.put("mine")
        url = world.links.media_url("mine", "t.pdf", timedelta(hours=1))
        world.clock.turned = timedelta(minutes=61)
        async with http.get(url) as answer:
            assert answer.status == 410
            assert "Ask in the chat" in (await answer.json())["detail"]
        async with http.get(url.replace("/mine/", "/yours/")) as answer:
            assert answer.status == 403  # a forgery, old or not

    async def test_a_file_that_is_gone(self, world: World, http: aiohttp.ClientSession) -> None:
        async with http.get(world.links.media_url("nothing", "t.pdf", timedelta(hours=1))) as answer:
            assert answer.status == 404

    def test_one_kind_of_link_never_passes_for_another(self) -> None:
        links = SignedLinks("https://a.test", SECRET, SystemClock())
        other = SignedLinks("https://a.test", b"another secret of ours", SystemClock())
        assert links.ticket_of(links.ticket_code("tkt_1-a")) == "tkt_1-a"
        for forged in (other.ticket_code("tkt_1"), "tkt_1.", "tkt_1", ".", "", links.ticket_code("tkt_1")[:-1]):
            with pytest.raises(TamperedLink):
                links.ticket_of(forged)


class TestVerification:
    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    async def test_a_ticket_of_ours_is_shown_and_nothing_in_it_runs(
        self, world: World, http: aiohttp.ClientSession
    ) -> None:
        async with http.get(world.links.verify_url("tkt_1")) as answer:
            page = await answer.text()
            assert answer.status == 200
            assert answer.content_type == "text/html"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "This ticket is valid" in page
        assert "QX4TZ7" in page
        assert "&lt;script&gt;" in page
        assert "<script" not in page

    async def test_a_cancelled_ticket_says_so(self, world: World, http: aiohttp.ClientSession) -> None:
        world.tickets["tkt_1"] = replace(TICKET, status=TicketStatus.CANCELLED)
        async with http.get(world.links.verify_url("tkt_1")) as answer:
            assert "was cancelled" in await answer.text()

    async def test_anything_else_is_not_ours(self, world: World, http: aiohttp.ClientSession) -> None:
        guess = f"{world.url}/verify/tkt_1.{'0' * 20}"
        for url in (world.links.verify_url("tkt_2"), guess, f"{world.url}/verify/%3Cscript%3E"):
            async with http.get(url) as answer:
                page = await answer.text()
                assert (answer.status, "not a ticket of ours" in page, "<script" in page) == (404, True, False)


class TestOperations:
    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    async def test_health_names_parts_and_variables_never_values(
        self, world: World, http: aiohttp.ClientSession
    ) -> None:
        async with http.get(f"{world.url}/health") as answer:
            assert answer.status == 200
            health = await answer.json()
        assert health["status"] == "ready"
        assert health["parts"]["web"]["state"] == "running"
        assert health["configured"] == ["BASE_URL", "TELEGRAM_BOT_TOKEN"]
        failed = Health("indexer", State.FAILING, ISSUED, 3, "ClientError: http://user:password@node")
        world.report = HealthReport(False, [PartHealth.of_service(failed)])
        async with http.get(f"{world.url}/health") as answer:
            assert answer.status == 503
            text = await answer.text()
        assert "ClientError" in text
        assert "password" not in text

    async def test_metrics_are_told_to_prometheus(self, world: World, http: aiohttp.ClientSession) -> None:
        Counter("layover_test", "A test.", registry=world.registry).inc()
        async with http.get(f"{world.url}/metrics") as answer:
            assert "layover_test_total 1.0" in await answer.text()

    async def test_an_error_is_a_problem_that_tells_nothing_of_the_inside(
        self, world: World, http: aiohttp.ClientSession
    ) -> None:
        async with http.get(f"{world.url}/nowhere") as answer:
            assert (answer.status, answer.content_type) == (404, "application/problem+json")
        async with http.post(f"{world.url}/health") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
            assert (await answer.json())["status"] == 405
        async with http.get(world.links.verify_url("tkt_boom")) as answer:
            text = await answer.text()
            assert answer.status == 500
            assert "secret detail" not in text
            assert "Traceback" not in text

    async def test_telegram_is_told_that_polling_is_in_use(self, world: World, http: aiohttp.ClientSession) -> None:
        async with http.post(f"{world.url}/telegram-webhook", json={}) as answer:
            assert answer.status == 404
            assert "polling" in (await answer.json())["detail"]

    async def test_whatsapp_says_when_it_is_not_configured(self, world: World, http: aiohttp.ClientSession) -> None:
        for path in ("/webhook", "/webhooks/twilio", "/webhooks/twilio/status"):
            async with http.post(world.url + path, data={"Body": "x" * (MAX_BODY + 1)}) as answer:
                assert answer.status == 404
                assert "TWILIO_ACCOUNT_SID" in (await answer.json())["detail"]
