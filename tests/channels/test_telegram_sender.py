"""What Layover says on Telegram: seen by the traveller as it was meant, once, in order, within Telegram's limits."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from bot.channels.metrics import ChannelMetrics
from bot.channels.model import Attachment, AttachmentKind, Button, Channel, ChatId, Outbound
from bot.channels.outage import OutageWatch
from bot.channels.telegram.client import ANSWER_SECONDS, TelegramClient
from bot.channels.telegram.sender import TelegramSender
from bot.channels.text import bold, code, text
from bot.documents import Document, Documents
from runtime.backoff import Backoff
from runtime.database import Database
from runtime.outbox import DELIVER_SECONDS
from sandbox.faults import Fault, FaultKind
from sandbox.specs import Specs
from sandbox.telegram import FloodLimits, TelegramServer, TelegramUser

if TYPE_CHECKING:
    from tests.channels.conftest import Office, Stored, TurnableClock

BUTTONS = ((Button("Yes, search", "confirm"), Button("Change something", "change")), (Button("Start over", "over"),))
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One database: what matters here is between the sender and Telegram."""
    return sqlite_url


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    server = TelegramServer(specs=Specs.from_environment())
    async with server.running():
        yield server
    assert server.specs.violations == []


@pytest.fixture
def answer_seconds() -> float:
    return ANSWER_SECONDS


@pytest.fixture
async def office(
    office: "Office",
    telegram: TelegramServer,
    database: Database,
    clock: "TurnableClock",
    metrics: ChannelMetrics,
    answer_seconds: float,
) -> AsyncIterator["Office"]:
    """With a courier that sends over Telegram."""
    async with TelegramClient.open(telegram.token, telegram.url, answer_seconds) as client:
        outage = OutageWatch(backoff=Backoff(first=0.01, ceiling=0.05))
        sender = TelegramSender(client, Documents(database), clock, metrics, outage=outage)
        async with office.open(Channel.TELEGRAM, sender):
            yield office


@pytest.fixture
async def ada(telegram: TelegramServer) -> TelegramUser:
    traveller = telegram.new_traveller("Ada")
    await traveller.start()
    return traveller


def to(traveller: TelegramUser) -> ChatId:
    return ChatId(Channel.TELEGRAM, traveller.key)


async def test_a_message_is_shown_with_its_styles_and_buttons(office: "Office", ada: TelegramUser) -> None:
    hostile = "<b>O'Neil & Söhne</b> *_`~"
    await office.send(Outbound(to(ada), text("Hello ", bold(hostile), ", pay ", code("1.00")), BUTTONS))
    [message] = ada.heard
    assert message.text == f"Hello {hostile}, pay 1.00"
    assert [(e["type"], e["offset"], e["length"]) for e in message.entities] == [
        ("bold", 6, len(hostile)),
        ("code", 12 + len(hostile), 4),
    ]
    assert [[(b.label, b.data) for b in row] for row in message.buttons] == [
        [("Yes, search", "confirm"), ("Change something", "change")],
        [("Start over", "over")],
    ]


async def test_messages_of_a_chat_come_in_order(office: "Office", ada: TelegramUser) -> None:
    await office.send(*(Outbound(to(ada), text(str(number))) for number in range(20)))
    assert [message.text for message in ada.heard] == [str(number) for number in range(20)]


async def test_a_long_text_comes_whole_in_several_messages_with_its_buttons_under_the_last(
    office: "Office", ada: TelegramUser
) -> None:
    paragraphs = [f"{number}." + " Lagos → London 😀 👩‍👩‍👧" * 30 for number in range(12)]
    await office.send(Outbound(to(ada), text("\n\n".join(paragraphs)), BUTTONS))
    heard = ada.heard
    assert len(heard) > 1
    assert "\n\n".join(m.text for m in heard) == "\n\n".join(paragraphs)
    assert [bool(message.buttons) for message in heard] == [False] * (len(heard) - 1) + [True]


class TestSlots:
    async def test_a_slot_is_one_message_that_changes(self, office: "Office", ada: TelegramUser) -> None:
        for status in ("I see your payment. 0 of 3", "1 of 3", "2 of 3"):
            await office.send(Outbound(to(ada), text(status), slot="payment:1:status"))
        [message] = ada.heard
        assert message.text == "2 of 3"
        assert [m.text for m in ada.conversation.versions(message.id)][-1] == "2 of 3"

    async def test_what_is_not_sent_yet_piles_up_into_the_last(
        self, office: "Office", ada: TelegramUser, telegram: TelegramServer
    ) -> None:
        telegram.faults.add(Fault(FaultKind.TOO_MANY_REQUESTS, operation="sendMessage", retry_after=1))
        await office.send(*(Outbound(to(ada), text(f"{n} of 9"), slot="payment:1:status") for n in range(10)))
        [message] = ada.heard
        assert message.text == "9 of 9"
        assert telegram.calls["editMessageText"] == 0

    async def test_the_same_words_again_are_no_failure(
        self, office: "Office", ada: TelegramUser, stored: "Stored"
    ) -> None:
        for _ in range(2):
            await office.send(Outbound(to(ada), text("1 of 3"), slot="s"))
        assert len(ada.heard) == 1
        assert all(letter["dead_at"] is None for letter in await stored.letters())

    async def test_a_message_that_is_gone_is_said_anew(self, office: "Office", ada: TelegramUser) -> None:
        await office.send(Outbound(to(ada), text("1 of 3"), slot="s"))
        ada.chat.messages.pop(int(ada.heard[0].id))
        await office.send(Outbound(to(ada), text("2 of 3"), slot="s"))
        await office.send(Outbound(to(ada), text("3 of 3"), slot="s"))
        assert ada.heard[-1].text == "3 of 3"
        assert len(ada.heard) == 2


class TestFiles:
    @pytest.fixture(autouse=True)
    async def _files(self, database: Database, ada: TelegramUser) -> None:
        now = datetime.now(UTC)
        async with database.transaction() as tx:
            for document_id, name, kind, body in (
                ("pdf", "ticket.pdf", "application/pdf", b"%PDF-1.7 ticket"),
                ("qr", "qr.png", "image/png", PNG),
            ):
                await Documents(database).put(tx, Document(document_id, ada.key, name, kind, body, now))

    async def test_a_document_comes_with_its_name_and_caption(self, office: "Office", ada: TelegramUser) -> None:
        name = 'Ada "Obi" – билет/1.pdf'
        attachment = Attachment(AttachmentKind.DOCUMENT, "pdf", name)
        await office.send(Outbound(to(ada), text("Ticket for ", bold("Ada Obi")), BUTTONS, attachment=attachment))
        [message] = ada.heard
        assert message.file is not None
        assert (message.kind, message.text) == ("document", "Ticket for Ada Obi")
        assert message.file.content == b"%PDF-1.7 ticket"
        assert message.file.filename == "Ada _Obi_ – билет_1.pdf"
        assert message.buttons != ()

    async def test_a_picture_is_a_photo(self, office: "Office", ada: TelegramUser) -> None:
        await office.send(Outbound(to(ada), attachment=Attachment(AttachmentKind.PHOTO, "qr", "qr.png")))
        [message] = ada.heard
        assert message.file is not None
        assert (message.kind, message.file.content) == ("photo", PNG)

    async def test_a_caption_that_is_too_long_follows_by_itself(self, office: "Office", ada: TelegramUser) -> None:
        words = "flight " * 200
        attachment = Attachment(AttachmentKind.DOCUMENT, "pdf", "ticket.pdf")
        await office.send(Outbound(to(ada), text(words), BUTTONS, attachment=attachment))
        file, caption = ada.heard
        assert (file.kind, file.text, caption.text) == ("document", "", words.strip())
        assert caption.buttons != ()

    async def test_a_file_that_is_not_kept_does_not_hold_up_the_chat(
        self, office: "Office", ada: TelegramUser, stored: "Stored"
    ) -> None:
        missing = Attachment(AttachmentKind.DOCUMENT, "nothing", "ticket.pdf")
        await office.send(Outbound(to(ada), attachment=missing), Outbound(to(ada), text("next")))
        assert [message.text for message in ada.heard] == ["next"]
        assert "no stored document" in (await stored.letters())[0]["error"]


class TestSigns:
    async def test_typing_is_shown(self, office: "Office", ada: TelegramUser) -> None:
        await office.send(Outbound(to(ada), typing=True))
        assert await ada.expect_typing() == "typing"

    async def test_typing_that_cannot_be_shown_is_forgotten(
        self, office: "Office", ada: TelegramUser, telegram: TelegramServer, stored: "Stored"
    ) -> None:
        telegram.faults.add(Fault(FaultKind.SERVER_ERROR, operation="sendChatAction"))
        await office.send(Outbound(to(ada), typing=True), Outbound(to(ada), text("found")))
        assert telegram.calls["sendChatAction"] == 1
        assert (await stored.letters())[0]["dead_at"] is None

    async def test_a_pressed_button_stops_spinning(
        self, office: "Office", ada: TelegramUser, telegram: TelegramServer
    ) -> None:
        await office.send(Outbound(to(ada), text("Is that right?"), BUTTONS))
        await ada.press("confirm")
        [query] = telegram.callbacks.open
        await office.send(Outbound(to(ada), text("Searching"), answers_callback=query))
        assert ada.spinning == []
        assert ada.heard[-1].text == "Searching"

    async def test_a_button_pressed_too_long_ago_is_no_failure(
        self, office: "Office", ada: TelegramUser, telegram: TelegramServer, stored: "Stored"
    ) -> None:
        telegram.callbacks.lifetime = timedelta(0)
        await office.send(Outbound(to(ada), text("Is that right?"), BUTTONS))
        await ada.press("confirm")
        [query] = telegram.callbacks.open
        await office.send(Outbound(to(ada), text("Still here"), answers_callback=query))
        assert ada.heard[-1].text == "Still here"
        assert all(letter["dead_at"] is None for letter in await stored.letters())


class TestTrouble:
    async def test_flood_control_is_obeyed(self, office: "Office", ada: TelegramUser, telegram: TelegramServer) -> None:
        telegram.flood.limits = FloodLimits(chat_per_second=20, chat_burst=3)
        await office.send(*(Outbound(to(ada), text(str(number))) for number in range(5)))
        assert [message.text for message in ada.heard] == ["0", "1", "2", "3", "4"]
        assert telegram.flood.refused <= 2  # told once to wait, and waited

    async def test_one_chat_told_to_wait_does_not_stop_the_others_but_two_do(
        self, office: "Office", ada: TelegramUser, telegram: TelegramServer, registry: CollectorRegistry
    ) -> None:
        tunde = telegram.new_traveller("Tunde")
        await tunde.start()
        loop = asyncio.get_running_loop()
        telegram.faults.add(Fault(FaultKind.TOO_MANY_REQUESTS, operation="sendMessage", retry_after=2))
        await office.post(Outbound(to(ada), text("later")))
        await office.is_empty()
        while not telegram.faults.struck:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
        began = loop.time()
        await office.post(Outbound(to(tunde), text("now")))
        await tunde.expect("now")
        assert loop.time() - began < 1
        telegram.faults.add(Fault(FaultKind.TOO_MANY_REQUESTS, operation="sendMessage", retry_after=2))
        await office.post(Outbound(to(tunde), text("waits")))
        while len(telegram.faults.struck) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        sent = telegram.calls["sendMessage"]
        third = telegram.new_traveller("Kemi")
        await third.start()
        await office.send(Outbound(to(third), text("everybody waits")))
        assert loop.time() - began > 1.5
        assert telegram.calls["sendMessage"] == sent + 3

    @pytest.mark.parametrize("kind", [FaultKind.BAD_GATEWAY, FaultKind.SERVER_ERROR, FaultKind.DROP])
    async def test_what_did_not_arrive_is_sent_again(
        self, kind: FaultKind, office: "Office", ada: TelegramUser, telegram: TelegramServer
    ) -> None:
        telegram.faults.add(Fault(kind, operation="sendMessage", times=2))
        await office.send(Outbound(to(ada), text("hello")), Outbound(to(ada), text("there")))
        assert [message.text for message in ada.heard] == ["hello", "there"]

    async def test_a_lost_answer_costs_one_repeated_message_at_most(
        self, office: "Office", ada: TelegramUser, telegram: TelegramServer
    ) -> None:
        telegram.faults.add(Fault(FaultKind.LOSE_ANSWER, operation="sendMessage"))
        await office.send(Outbound(to(ada), text("hello")), Outbound(to(ada), text("there")))
        assert [message.text for message in ada.heard] == ["hello", "hello", "there"]

    async def test_no_message_dies_of_an_outage(
        self, office: "Office", ada: TelegramUser, telegram: TelegramServer, stored: "Stored"
    ) -> None:
        telegram.faults.add(Fault(FaultKind.BAD_GATEWAY, times=6))  # more than the attempts a letter has
        await office.send(Outbound(to(ada), text("your ticket")))
        assert [message.text for message in ada.heard] == ["your ticket"]
        assert len(telegram.faults.struck) == 6

    async def test_who_blocked_the_bot_is_left_alone_and_others_are_served(
        self, office: "Office", ada: TelegramUser, telegram: TelegramServer, stored: "Stored"
    ) -> None:
        tunde = telegram.new_traveller("Tunde")
        await tunde.start()
        await ada.block()
        await office.send(Outbound(to(ada), text("hello")), Outbound(to(tunde), text("hello")))
        assert [len(ada.heard), len(tunde.heard)] == [0, 1]
        letter = (await stored.letters())[0]
        assert letter["dead_at"] is not None
        assert "blocked" in letter["error"]
        assert telegram.calls["sendMessage"] == 2


class TestHanging:
    """A Telegram that takes the call and says nothing."""

    @pytest.fixture
    def answer_seconds(self) -> float:
        return 0.1

    async def test_no_message_dies_of_it(
        self, office: "Office", ada: TelegramUser, telegram: TelegramServer, stored: "Stored"
    ) -> None:
        telegram.faults.add(Fault(FaultKind.DELAY, operation="sendMessage", times=6, delay=0.3))
        await office.send(Outbound(to(ada), text("your ticket")))
        assert {message.text for message in ada.heard} == {"your ticket"}
        assert len(telegram.faults.struck) == 6  # more than the attempts a letter has
        [letter] = await stored.letters()
        assert letter["dead_at"] is None

    async def test_it_is_noticed_long_before_the_courier_would_cut_the_call_off(self) -> None:
        assert ANSWER_SECONDS <= DELIVER_SECONDS / 2
