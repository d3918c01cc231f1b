"""WhatsApp through Twilio: only what Twilio signed gets in, once; what goes out fits, and is never silently lost."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from twilio.request_validator import RequestValidator
from yarl import URL

from bot.channels.metrics import ChannelMetrics
from bot.channels.model import Attachment, AttachmentKind, Button, Channel, ChatId, Outbound
from bot.channels.outage import OutageWatch
from bot.channels.text import bold, code, text
from bot.channels.whatsapp.client import ANSWER_SECONDS, TwilioMessages
from bot.channels.whatsapp.sender import WhatsAppSender
from bot.channels.whatsapp.webhook import MalformedWebhook, WhatsAppWebhook, inbound_from_form
from bot.channels.whatsapp.window import WhatsAppWindows
from bot.documents import Document, Documents
from bot.web.app import Edge, make_app
from bot.web.health import HealthReport
from bot.web.links import SignedLinks
from runtime.backoff import Backoff
from runtime.database import Database
from runtime.http import HttpServer
from runtime.inbox import Inbox
from runtime.outbox import DELIVER_SECONDS
from sandbox.faults import Fault, FaultKind
from sandbox.specs import Specs
from sandbox.twilio import Signature, TwilioServer, WhatsAppUser

if TYPE_CHECKING:
    from tests.channels.conftest import Office, Stored, TurnableClock

QUICK = Backoff(first=0.01, ceiling=0.05)
BUTTONS = ((Button("Card", "pay:card"), Button("On-chain", "pay:clayer")), (Button("Back", "back"),))


@dataclass
class Line:
    """The whole way: Twilio, our web edge, our sender."""

    twilio: TwilioServer
    url: str
    sender: WhatsAppSender
    links: SignedLinks
    messages: TwilioMessages
    windows: WhatsAppWindows

    async def post(self, path: str, body: bytes, **headers: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as http,
            http.post(URL(self.url + path, encoded=True), data=body, headers={**FORM, **headers}) as answer,
        ):
            return answer.status, await answer.text()


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def public_url() -> str:
    return ""


@pytest.fixture
def answer_seconds() -> float:
    return ANSWER_SECONDS


@pytest.fixture
async def line(
    database: Database,
    office: "Office",
    clock: "TurnableClock",
    metrics: ChannelMetrics,
    public_url: str,
    answer_seconds: float,
) -> AsyncIterator[Line]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    twilio = TwilioServer(specs=Specs.from_environment())
    links = SignedLinks(url, b"sixteen bytes or more", clock)
    windows = WhatsAppWindows(database)
    webhook = WhatsAppWebhook(
        database,
        Inbox(clock),
        office.outbox,
        windows,
        clock,
        metrics,
        auth_token=twilio.token,
        public_url=public_url or url,
    )

    async def no_ticket(ticket: str) -> None:
        return None

    edge = Edge(Documents(database), links, no_ticket, lambda: HealthReport(True, []), CollectorRegistry(), webhook)
    server = HttpServer("web", lambda: make_app(edge), host="127.0.0.1", port=port)
    async with asyncio.TaskGroup() as group, twilio.running(), aiohttp.ClientSession() as session:
        group.create_task(server.run())
        await server.ready.wait()
        twilio.connect(f"{url}/webhooks/twilio")
        messages = TwilioMessages(
            session,
            account_sid=twilio.sid,
            auth_token=twilio.token,
            sender=twilio.number,
            status_callback=f"{url}/webhooks/twilio/status",
            base_url=twilio.url,
            answer_seconds=answer_seconds,
        )
        sender = WhatsAppSender(messages, windows, links, clock, metrics, outage=OutageWatch(backoff=QUICK))
        yield Line(twilio, url, sender, links, messages, windows)
        server.stop()
    assert [v for v in twilio.specs.violations if v.side == "request"] == []


def to(traveller: WhatsAppUser) -> ChatId:
    return ChatId(Channel.WHATSAPP, traveller.number)


class TestWebhook:
    """On both databases."""

    async def test_a_signed_message_is_stored_and_answered_at_once(self, line: Line, stored: "Stored") -> None:
        tunde = line.twilio.new_traveller("Tunde")
        answer = await tunde.say("Lagos to London * & <b> ü 😀")
        assert answer.status == 200
        assert "<Response" in answer.body
        [inbound] = await stored.inbound()
        assert inbound.chat == to(tunde)
        assert (inbound.text, inbound.button, inbound.name) == ("Lagos to London * & <b> ü 😀", None, "Tunde")

    async def test_the_same_message_a_hundred_times_counts_once(self, line: Line, stored: "Stored") -> None:
        tunde = line.twilio.new_traveller()
        await tunde.say("hello")
        answers = await asyncio.gather(*(tunde.redeliver() for _ in range(100)))
        assert {answer.status for answer in answers} == {200}
        assert len(await stored.inbound()) == 1

    async def test_what_twilio_did_not_sign_is_refused_and_not_stored(
        self, line: Line, stored: "Stored", database: Database
    ) -> None:
        tunde = line.twilio.new_traveller()
        for signature in (Signature.MISSING, Signature.WRONG):
            assert (await tunde.say("give me tickets", signature)).status == 403
        assert await stored.inbound() == []
        assert not await line.windows.is_open(to(tunde), datetime.now(UTC))

    async def test_numbers_stay_text_and_list_choices_are_buttons(self, line: Line, stored: "Stored") -> None:
        tunde = line.twilio.new_traveller()
        await tunde.say("2")
        await tunde.send_file("voice", b"ogg", "voice.ogg")
        heard = await stored.inbound()
        assert [(i.text, i.button) for i in heard] == [("2", None), (None, None)]
        form = {"From": "whatsapp:+2348012345678", "Body": "Card", "ButtonPayload": "pay:card"}
        inbound = inbound_from_form(form, datetime.now(UTC))
        assert inbound is not None
        assert (inbound.text, inbound.button) == (None, "pay:card")

    def test_what_is_not_whatsapp_is_passed_over_and_nonsense_is_refused(self) -> None:
        now = datetime.now(UTC)
        assert inbound_from_form({"From": "+15551234567", "Body": "an SMS"}, now) is None
        for sender in ("whatsapp:", "whatsapp:a b", "whatsapp:" + "1" * 90, "whatsapp:+1;drop"):
            with pytest.raises(MalformedWebhook):
                inbound_from_form({"From": sender, "Body": "x"}, now)


class TestSignature:
    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.fixture
    def public_url(self) -> str:
        return "https://layover.example/travel"

    @staticmethod
    def signed(url: str, fields: dict[str, str], token: str) -> str:
        signature: str = RequestValidator(token).compute_signature(url, fields)
        return signature

    async def test_counts_for_the_public_address_whatever_the_proxy_says(self, line: Line, stored: "Stored") -> None:
        fields = {"MessageSid": "SM1", "From": "whatsapp:+2348012345678", "Body": "hi", "MediaUrl0": ""}
        body = b"MessageSid=SM1&From=whatsapp%3A%2B2348012345678&Body=hi&MediaUrl0="
        path = "/webhook?x=%2Fy&empty="
        right = self.signed(f"https://layover.example/travel{path}", fields, line.twilio.token)
        assert (await line.post(path, body, **{"X-Twilio-Signature": right}))[0] == 200
        assert len(await stored.inbound()) == 1

        local = self.signed(f"{line.url}{path}", fields, line.twilio.token)
        forwarded = {"X-Forwarded-Host": "127.0.0.1", "X-Forwarded-Proto": "http"}
        for attempt in (
            line.post(path, body, **{"X-Twilio-Signature": local}, **forwarded),
            line.post("/webhook", body, **{"X-Twilio-Signature": right}),
            line.post(path, body + b"&Extra=1", **{"X-Twilio-Signature": right}),
            line.post(path, body.replace(b"hi", b"ho"), **{"X-Twilio-Signature": right}),
            line.post(path, body, **{"X-Twilio-Signature": right[:-4]}),
            line.post("/webhooks/twilio/status", body, **{"X-Twilio-Signature": right}),
            line.post(path, b"", **{"X-Twilio-Signature": right}),
        ):
            status, answer = await attempt
            assert status == 403
            assert "BASE_URL" in answer
        assert len(await stored.inbound()) == 1

    async def test_bodies_that_are_no_form_of_twilio(self, line: Line, stored: "Stored") -> None:
        sign = {"X-Twilio-Signature": "x"}
        assert (await line.post("/webhook", b"{}", **{"Content-Type": "application/json"}, **sign))[0] == 415
        assert (await line.post("/webhook", b"Body=\xff\xfe", **sign))[0] == 400
        assert (await line.post("/webhook", b"&".join([b"a=1"] * 1000), **sign))[0] == 400
        assert (await line.post("/webhook", b"Body=" + b"x" * 300_000, **sign))[0] == 413
        fields = {"From": "whatsapp:+2348012345678", "Body": "no sid"}
        right = self.signed("https://layover.example/travel/webhook", fields, line.twilio.token)
        body = b"From=whatsapp%3A%2B2348012345678&Body=no+sid"
        assert (await line.post("/webhook", body, **{"X-Twilio-Signature": right}))[0] == 400
        assert await stored.inbound() == []


class TestSender:
    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.fixture
    async def office(self, office: "Office", line: Line) -> AsyncIterator["Office"]:
        async with office.open(Channel.WHATSAPP, line.sender):
            yield office

    @pytest.fixture
    async def tunde(self, line: Line) -> WhatsAppUser:
        traveller = line.twilio.new_traveller("Tunde")
        await traveller.say("hi")
        return traveller

    async def test_choices_are_numbered(self, office: "Office", tunde: WhatsAppUser) -> None:
        await office.post(Outbound(to(tunde), text("Pay ", bold("USD 20"), " by '*Card*'?"), BUTTONS))
        message = await tunde.expect()
        assert message.text == "Pay *USD 20* by '∗Card∗'?\n\n1. Card\n2. On-chain\n3. Back"

    async def test_a_hint_stands_for_the_numbers(self, office: "Office", tunde: WhatsAppUser) -> None:
        await office.post(Outbound(to(tunde), text("Five offers."), BUTTONS, hint='Reply 1–5, "fastest" or "more".'))
        assert (await tunde.expect()).text == 'Five offers.\n\n_Reply 1–5, "fastest" or "more"._'

    async def test_an_address_to_copy_is_exactly_that(self, office: "Office", tunde: WhatsAppUser) -> None:
        address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
        await office.post(Outbound(to(tunde), text(code(address))))
        assert (await tunde.expect()).text == address

    async def test_a_slot_is_a_new_short_message(self, office: "Office", tunde: WhatsAppUser) -> None:
        for status in ("0 of 3", "1 of 3"):
            await office.send(Outbound(to(tunde), text(status), slot="payment:1:status"))
            await tunde.expect(status)
        assert [message.text for message in tunde.heard] == ["0 of 3", "1 of 3"]

    async def test_a_long_text_comes_whole_and_within_the_limit(self, office: "Office", tunde: WhatsAppUser) -> None:
        paragraphs = [f"{number}." + " Lagos → London 😀 👩‍👩‍👧" * 20 for number in range(9)]
        await office.post(Outbound(to(tunde), text("\n\n".join(paragraphs)), BUTTONS))
        await tunde.expect("3. Back")
        said = [message.text for message in tunde.heard]
        assert all(len(part.encode("utf-16-le")) // 2 <= 1600 for part in said)
        assert "\n\n".join(said) == "\n\n".join([*paragraphs, "1. Card\n2. On-chain\n3. Back"])

    async def test_typing_says_nothing(self, office: "Office", line: Line, tunde: WhatsAppUser) -> None:
        await office.send(Outbound(to(tunde), typing=True))
        assert line.twilio.calls["POST Messages"] == 0

    async def test_files_are_fetched_by_a_signed_link(
        self, office: "Office", line: Line, tunde: WhatsAppUser, database: Database
    ) -> None:
        documents = Documents(database)
        async with database.transaction() as tx:
            for name, kind in (("ticket.pdf", "application/pdf"), ("qr.png", "image/png")):
                document = Document(name, str(to(tunde)), name, kind, b"body of " + name.encode(), datetime.now(UTC))
                await documents.put(tx, document)
        ticket = Attachment(AttachmentKind.DOCUMENT, "ticket.pdf", "ticket.pdf")
        picture = Attachment(AttachmentKind.PHOTO, "qr.png", "qr.png")
        await office.post(Outbound(to(tunde), text("Ticket for Ada"), attachment=ticket))
        await office.post(Outbound(to(tunde), text("Scan me"), attachment=picture))
        caption = await tunde.expect("Ticket for Ada")
        paper = await tunde.expect(lambda m: m.file is not None)
        scan = await tunde.expect("Scan me")
        assert caption.file is None  # Twilio drops the text of a document
        assert paper.file is not None
        assert (paper.kind, paper.text, paper.file.content) == ("document", "", b"body of ticket.pdf")
        assert scan.file is not None
        assert (scan.kind, scan.file.content) == ("photo", b"body of qr.png")

    async def test_what_became_of_a_message_is_noted(
        self, office: "Office", line: Line, tunde: WhatsAppUser, database: Database
    ) -> None:
        await office.post(Outbound(to(tunde), text("hello")))
        message = await tunde.expect("hello")
        await tunde.expect_status(message, "read")

        async def is_read() -> bool:
            found = await office.outbox.sent_message(database, message.id)
            return found is not None and found.status == "read"

        async with asyncio.timeout(10):
            while not await is_read():  # noqa: ASYNC110 - a row in a database has no event
                await asyncio.sleep(0.01)

    @pytest.mark.parametrize("kind", [FaultKind.TOO_MANY_REQUESTS, FaultKind.BAD_GATEWAY, FaultKind.DROP])
    async def test_what_did_not_arrive_is_sent_again(
        self, kind: FaultKind, office: "Office", line: Line, tunde: WhatsAppUser
    ) -> None:
        line.twilio.faults.add(Fault(kind, operation="POST Messages", times=2))
        await office.send(Outbound(to(tunde), text("hello")), Outbound(to(tunde), text("there")))
        await tunde.expect("there")
        assert [message.text for message in tunde.heard] == ["hello", "there"]

    async def test_a_lost_answer_costs_one_repeated_message_at_most(
        self, office: "Office", line: Line, tunde: WhatsAppUser
    ) -> None:
        line.twilio.faults.add(Fault(FaultKind.LOSE_ANSWER, operation="POST Messages"))
        await office.send(Outbound(to(tunde), text("hello")), Outbound(to(tunde), text("there")))
        await tunde.expect("there")
        assert [message.text for message in tunde.heard] == ["hello", "hello", "there"]

    async def test_no_message_dies_of_an_outage(self, office: "Office", line: Line, tunde: WhatsAppUser) -> None:
        line.twilio.faults.add(Fault(FaultKind.SERVER_ERROR, times=8))  # more than the attempts a letter has
        await office.send(Outbound(to(tunde), text("your ticket")))
        await tunde.expect("your ticket")

    async def test_a_number_that_twilio_refuses_holds_up_nobody(
        self, office: "Office", line: Line, tunde: WhatsAppUser, stored: "Stored", clock: "TurnableClock"
    ) -> None:
        nobody = ChatId(Channel.WHATSAPP, "+0")
        async with office.database.transaction() as tx:
            await line.windows.note_inbound(tx, nobody, clock.now())
        await office.send(Outbound(nobody, text("x")), Outbound(to(tunde), text("hello")))
        await tunde.expect("hello")
        assert "21211" in (await stored.letters())[0]["error"]


class TestHanging:
    """A Twilio that takes the request and says nothing."""

    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.fixture
    def answer_seconds(self) -> float:
        return 0.2

    async def test_no_message_dies_of_it(self, office: "Office", line: Line, stored: "Stored") -> None:
        tunde = line.twilio.new_traveller("Tunde")
        await tunde.say("hi")
        line.twilio.faults.add(Fault(FaultKind.DELAY, operation="POST Messages", times=6, delay=0.4))
        async with office.open(Channel.WHATSAPP, line.sender):
            await office.send(Outbound(to(tunde), text("your ticket")))
        assert len(line.twilio.faults.struck) == 6  # more than the attempts a letter has
        assert [letter["dead_at"] for letter in await stored.letters()] == [None]

    async def test_it_is_noticed_long_before_the_courier_would_cut_the_call_off(self) -> None:
        assert ANSWER_SECONDS <= DELIVER_SECONDS / 2


class TestWindow:
    """24 hours after the traveller's last message, only a template may be sent."""

    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.fixture
    async def tunde(self, line: Line, clock: "TurnableClock") -> WhatsAppUser:
        """Who wrote a day ago."""
        traveller = line.twilio.new_traveller("Tunde")
        await traveller.say("hi")
        clock.turned = timedelta(hours=24)
        line.twilio.clock.advance(timedelta(hours=24))
        return traveller

    async def test_without_a_template_the_operator_is_told_and_nothing_is_sent_in_vain(
        self,
        office: "Office",
        line: Line,
        tunde: WhatsAppUser,
        stored: "Stored",
        registry: CollectorRegistry,
    ) -> None:
        async with office.open(Channel.WHATSAPP, line.sender):
            await office.send(Outbound(to(tunde), text("Your ticket is here")))
        assert line.twilio.calls["POST Messages"] == 0
        assert "WHATSAPP_TEMPLATE_SID" in (await stored.letters())[0]["error"]
        assert alerts(registry) == 1

    async def test_with_a_template_the_words_and_the_file_reach_the_traveller(
        self,
        office: "Office",
        line: Line,
        tunde: WhatsAppUser,
        database: Database,
        clock: "TurnableClock",
        metrics: ChannelMetrics,
    ) -> None:
        content = line.twilio.contents.create(
            {"friendly_name": "update", "language": "en", "types": {"twilio/text": {"body": "Layover: {{1}}"}}}
        )
        content.approval = "approved"
        document = Document("t", str(to(tunde)), "ticket.pdf", "application/pdf", b"%PDF", datetime.now(UTC))
        async with database.transaction() as tx:
            await Documents(database).put(tx, document)
        sender = WhatsAppSender(line.messages, line.windows, line.links, clock, metrics, template_sid=content.sid)
        paper = Attachment(AttachmentKind.DOCUMENT, "t", "ticket.pdf")
        async with office.open(Channel.WHATSAPP, sender):
            await office.send(Outbound(to(tunde), text('Booked.\n\nReference "QX4TZ7"'), attachment=paper))
            message = await tunde.expect()
        assert message.text.startswith('Layover: Booked. Reference "QX4TZ7" ticket.pdf: http')
        async with aiohttp.ClientSession() as http, http.get(message.text.rpartition(" ")[2]) as answer:
            assert await answer.read() == b"%PDF"

    async def test_a_word_of_the_traveller_opens_it_again(
        self, office: "Office", line: Line, tunde: WhatsAppUser
    ) -> None:
        await tunde.say("still there?")
        async with office.open(Channel.WHATSAPP, line.sender):
            await office.send(Outbound(to(tunde), text("Yes")))
            await tunde.expect("Yes")

    async def test_a_window_that_closed_on_the_way_is_told_to_the_operator(
        self, office: "Office", line: Line, clock: "TurnableClock", registry: CollectorRegistry, stored: "Stored"
    ) -> None:
        traveller = line.twilio.new_traveller()
        await traveller.say("hi")
        line.twilio.clock.advance(timedelta(hours=25))  # Twilio's clock, not ours
        async with office.open(Channel.WHATSAPP, line.sender):
            await office.send(Outbound(to(traveller), text("Yes")))
        async with asyncio.timeout(10):
            while alerts(registry) != 1:  # noqa: ASYNC110 - it comes by a status callback
                await asyncio.sleep(0.01)
            while (await stored.letters())[0]["dead_at"] is None:  # noqa: ASYNC110 - nor has a row an event
                await asyncio.sleep(0.01)


def alerts(registry: CollectorRegistry) -> float | None:
    labels = {"channel": "whatsapp", "alert": "whatsapp_window_closed"}
    return registry.get_sample_value("layover_channel_alerts_total", labels)
