"""Twilio's server, driven by the real SDK, and its webhooks, checked with the SDK's own validator."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException

from sandbox.twilio import NotConnected, Signature, WhatsAppUser
from sandbox.world import World
from tests.sandbox.application import Application
from tests.sandbox.twilio_client import TwilioClient

LIST = {
    "body": "Five of {{1}} offers",
    "button": "Offers",
    "items": [{"item": "1 · USD 842", "id": "offer:1", "description": "nonstop"}],
}
REPLIES = {"body": "Is that right, {{1}}?", "actions": [{"title": "Yes", "id": "yes"}, {"title": "No", "id": "no"}]}


@pytest.fixture
async def application(world: World) -> AsyncIterator[Application]:
    async with Application(world.twilio_token).running() as running:
        world.connect(running.url)
        yield running


@pytest.fixture
def twilio(world: World) -> TwilioClient:
    return TwilioClient(world)


@pytest.fixture
async def tunde(world: World, application: Application) -> WhatsAppUser:
    """Has written, so that the 24-hour window is open."""
    person = world.whatsapp_user("Tunde")
    await person.say("hi")
    return person


async def test_a_message_arrives_as_a_signed_form(application: Application, tunde: WhatsAppUser) -> None:
    answer = await tunde.say("Lagos to London, 2 adults & *a baby*")
    assert (answer.status, answer.body) == (200, "<Response/>")
    form = application.received[-1]
    assert form["From"] == f"whatsapp:{tunde.number}"
    assert (form["WaId"], form["ProfileName"], form["NumMedia"]) == (tunde.number[1:], "Tunde", "0")
    assert form["Body"] == "Lagos to London, 2 adults & *a baby*"
    assert form["MessageSid"].startswith("SM")
    assert application.forged == 0


@pytest.mark.parametrize("signature", [Signature.MISSING, Signature.WRONG])
async def test_a_forged_message_is_told_from_a_real_one(
    application: Application, tunde: WhatsAppUser, signature: Signature
) -> None:
    answer = await tunde.say("send the ticket to me", signature)
    assert answer.status == 403
    assert (len(application.received), application.forged) == (1, 1)
    assert [m.text for m in tunde.transcript] == ["hi"]


async def test_a_webhook_can_come_twice_with_the_same_sid(application: Application, tunde: WhatsAppUser) -> None:
    await tunde.redeliver()
    first, again = application.received
    assert first == again


async def test_media_that_a_person_sends_can_be_fetched(application: Application, tunde: WhatsAppUser) -> None:
    await tunde.send_file("voice", b"OggS", "note.ogg")
    form = application.received[-1]
    assert (form["NumMedia"], form["MediaContentType0"], form["Body"]) == ("1", "audio/ogg", "")
    async with aiohttp.ClientSession() as session, session.get(form["MediaUrl0"]) as response:
        assert await response.read() == b"OggS"


async def test_a_dead_webhook_is_tried_again_and_then_listed_as_an_alert(world: World, tunde: WhatsAppUser) -> None:
    world.twilio.connect("http://127.0.0.1:9/webhook#rc=2")
    answer = await tunde.say("anyone?")
    assert answer.status is None
    assert [alert.code for alert in world.twilio.alerts] == [11200]


async def test_only_a_retry_policy_repeats_what_the_application_refused(
    world: World, application: Application, tunde: WhatsAppUser
) -> None:
    application.status = 503
    await tunde.say("once")
    assert len(application.received) == 2
    world.twilio.connect(f"{application.url}/webhook#rc=2&rp=5xx")
    await tunde.say("three times")
    assert [form["Body"] for form in application.received[2:]] == ["three times"] * 3
    assert len({form["MessageSid"] for form in application.received[2:]}) == 1


async def test_without_an_application_nothing_can_be_said(world: World) -> None:
    with pytest.raises(NotConnected, match="connect"):
        await world.whatsapp_user().say("hello?")


async def test_a_message_in_twiml_is_sent(application: Application, world: World) -> None:
    application.twiml = "<Response><Message>Welcome</Message></Response>"
    tunde = world.whatsapp_user()
    await tunde.say("hi")
    assert (await tunde.expect()).text == "Welcome"
    application.twiml = "not xml"
    await tunde.say("hi")
    assert [alert.code for alert in world.twilio.alerts] == [12100]


async def test_a_reply_is_delivered_and_read_and_each_step_is_told(
    twilio: TwilioClient, application: Application, tunde: WhatsAppUser
) -> None:
    sent = await twilio.send(tunde.number, "Where to?", status_callback=application.callback)
    assert (sent.status, sent.direction) == ("queued", "outbound-api")
    assert (await tunde.expect("Where")).text == "Where to?"
    await application.until(lambda: len(application.statuses) == 4)
    assert [form["MessageStatus"] for form in application.statuses] == ["queued", "sent", "delivered", "read"]
    assert {form["MessageSid"] for form in application.statuses} == {sent.sid}
    fetched = await twilio.fetch(sent.sid)
    assert (fetched.status, fetched.body, fetched.to) == ("read", "Where to?", f"whatsapp:{tunde.number}")
    assert [message.sid for message in await twilio.listed(to=f"whatsapp:{tunde.number}")] == [sent.sid]


async def test_messages_to_a_person_keep_their_order(twilio: TwilioClient, world: World, tunde: WhatsAppUser) -> None:
    for number in range(10):
        await twilio.send(tunde.number, str(number))
    await tunde.expect("9", since=0)
    assert [m.text for m in tunde.heard] == [str(number) for number in range(10)]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"body": "x" * 1601}, 21617),
        ({"to": "whatsapp:12"}, 21211),
        ({"to": "+12025550001"}, 21910),
        ({"from_": "whatsapp:+14150000000"}, 63007),
        ({}, 21619),
        ({"media_url": ["ftp://files.example/x.pdf"]}, 21620),
        ({"content_sid": "HX" + "0" * 32}, 21655),
    ],
)
async def test_what_twilio_refuses_is_refused(
    twilio: TwilioClient, tunde: WhatsAppUser, fields: dict[str, object], code: int
) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await twilio.send(tunde.number, **fields)  # type: ignore[arg-type]
    assert refused.value.code == code
    assert tunde.heard == []


async def test_a_wrong_token_is_refused(world: World, tunde: WhatsAppUser) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await TwilioClient(world, token="wrong").send(tunde.number, "hello")
    assert (refused.value.status, refused.value.code) == (401, 20003)


async def test_media_is_fetched_and_arrives_with_its_bytes(
    twilio: TwilioClient, application: Application, tunde: WhatsAppUser
) -> None:
    application.media["ticket.pdf"] = (b"%PDF-1.7", "application/pdf")
    sent = await twilio.send(tunde.number, "Your ticket", media_url=[f"{application.url}/media/ticket.pdf?until=9"])
    assert sent.sid.startswith("MM")
    ticket = await tunde.expect("Your ticket")
    assert ticket.file is not None
    assert (ticket.kind, ticket.file.content_type) == ("document", "application/pdf")
    assert ticket.file.content == b"%PDF-1.7"


@pytest.mark.parametrize(
    ("name", "code"), [("missing.pdf", 63019), ("empty.pdf", 63019), ("page.html", 63021), ("huge.pdf", 63005)]
)
async def test_media_that_cannot_be_sent_fails_later(
    twilio: TwilioClient, application: Application, tunde: WhatsAppUser, name: str, code: int
) -> None:
    application.media["empty.pdf"] = (b"", "application/pdf")
    application.media["page.html"] = (b"<html>", "text/html")
    application.media["huge.pdf"] = (bytes(16 * 1024 * 1024 + 1), "application/pdf")
    url = f"{application.url}/media/{name}"
    sent = await twilio.send(tunde.number, "x", media_url=[url], status_callback=application.callback)
    await application.until(lambda: len(application.statuses) == 2)
    assert (application.statuses[-1]["MessageStatus"], application.statuses[-1]["ErrorCode"]) == ("failed", str(code))
    assert (await twilio.fetch(sent.sid)).error_code == code
    assert tunde.heard == []


async def test_after_24_hours_only_an_approved_template_arrives(
    world: World, twilio: TwilioClient, application: Application, tunde: WhatsAppUser
) -> None:
    template = await twilio.create_content(
        friendly_name="ticketed",
        language="en",
        variables={"1": "QX4TZ7"},
        types={"twilio/text": {"body": "You are booked: {{1}}"}},
    )
    world.clock.advance(timedelta(hours=24))
    late = await twilio.send(tunde.number, "You are booked", status_callback=application.callback)
    early = await twilio.send(tunde.number, content_sid=template, status_callback=application.callback)
    await application.until(lambda: len(application.statuses) == 4)
    failed = {f["MessageSid"]: f["ErrorCode"] for f in application.statuses if f["MessageStatus"] == "failed"}
    assert failed == {late.sid: "63016", early.sid: "63016"}

    assert await twilio.approve(template, "ticketed") == "approved"
    await twilio.send(tunde.number, content_sid=template, content_variables='{"1": "AB12CD"}')
    assert (await tunde.expect()).text == "You are booked: AB12CD"
    await tunde.say("thanks")
    await twilio.send(tunde.number, "Have a good flight")
    assert (await tunde.expect()).text == "Have a good flight"


async def test_lists_and_replies_can_be_tapped_in_a_session(
    twilio: TwilioClient, application: Application, tunde: WhatsAppUser
) -> None:
    picker = await twilio.create_content(friendly_name="offers", language="en", types={"twilio/list-picker": LIST})
    replies = await twilio.create_content(friendly_name="ask", language="en", types={"twilio/quick-reply": REPLIES})
    assert await twilio.approve(picker, "offers") == "rejected"  # a list lives in a session only

    await twilio.send(tunde.number, content_sid=picker, content_variables='{"1": "38"}')
    offers = await tunde.expect("Five of 38 offers")
    await tunde.press("1 · USD 842", offers)
    form = application.received[-1]
    assert (form["ListId"], form["Body"], form["OriginalRepliedMessageSid"]) == ("offer:1", "1 · USD 842", offers.id)

    await twilio.send(tunde.number, content_sid=replies, content_variables='{"1": "Tunde"}')
    await tunde.expect("Is that right, Tunde?")
    await tunde.press("yes")
    form = application.received[-1]
    assert (form["ButtonPayload"], form["ButtonText"], form["Body"]) == ("yes", "Yes", "Yes")


async def test_a_list_over_its_limits_is_refused(twilio: TwilioClient) -> None:
    item = {"item": "x" * 25, "id": "1"}
    with pytest.raises(TwilioRestException, match="25, not 1 to 24"):
        await twilio.create_content(
            friendly_name="x", language="en", types={"twilio/list-picker": {**LIST, "items": [item]}}
        )


async def test_who_cannot_be_reached(world: World, twilio: TwilioClient, application: Application) -> None:
    stranger = await twilio.send("+12025559999", "hello?", status_callback=application.callback)
    await application.until(lambda: len(application.statuses) == 2)
    assert (await twilio.fetch(stranger.sid)).error_code == 63024
    tunde = world.whatsapp_user()
    await tunde.say("hi")
    await tunde.block()
    blocked = await twilio.send(tunde.number, "hello?", status_callback=application.callback)
    await application.until(lambda: len(application.statuses) == 4)
    assert (await twilio.fetch(blocked.sid)).status == "sent"
    assert tunde.heard == []


async def test_a_person_may_leave_messages_unread(twilio: TwilioClient, tunde: WhatsAppUser) -> None:
    tunde.reads = False
    await twilio.send(tunde.number, "hello")
    message = await tunde.expect("hello")
    await tunde.expect_status(message, "delivered")
    await asyncio.sleep(0)
    assert tunde.heard[0].status == "delivered"
