"""When the companies outside fail, repeat themselves or are forged: the booking goes on, and nothing happens twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import sqlalchemy as sa

from bot.schema import METADATA
from bot.tables import bookings
from payments.tables import payments
from runtime.tables import inbox
from sandbox.faults import Fault, FaultKind, Faults
from sandbox.traveller import Traveller
from sandbox.twilio.webhooks import Signature
from scripts.demo import Booker
from tests.e2e import travel
from tests.e2e.stage import Stage, plan_for_one, plan_for_two, until
from tests.e2e.travel import hear

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A daemon whose Redis does not exist: everything here goes on without it."""
    async with Stage.open(tmp_path_factory.mktemp("outside")) as opened:
        opened.variables["REDIS_URL"] = "redis://127.0.0.1:1/0"
        await opened.start_daemon()
        yield opened


async def books_through(booker: Booker, faults: Faults, *armed: Fault) -> None:
    """The traveller gets all tickets though these faults strike, and each of them did strike."""
    for fault in armed:
        faults.add(fault)
    try:
        async with asyncio.timeout(120):
            await booker.book()
    finally:
        faults.clear()
    for fault in armed:
        assert any(struck.kind is fault.kind for struck in faults.struck), f"{fault} never struck"


async def test_telegram_floods_and_breaks_during_a_booking(stage: Stage) -> None:
    booker = stage.booker(stage.world.telegram_user("Ada"), plan_for_two())
    await books_through(
        booker,
        stage.world.telegram.faults,
        Fault(FaultKind.TOO_MANY_REQUESTS, "sendMessage", times=6, probability=0.4, seed=1, retry_after=1),
        Fault(FaultKind.BAD_GATEWAY, "sendMessage", times=3, after=4, probability=0.5, seed=2),
        Fault(FaultKind.BAD_GATEWAY, "getUpdates", times=2, after=2),
        Fault(FaultKind.DROP, "getUpdates", times=2, after=6),
        Fault(FaultKind.SERVER_ERROR, "sendDocument", times=1),
        Fault(FaultKind.LOSE_ANSWER, "sendDocument", times=1),
    )


async def test_twilio_breaks_and_its_answers_are_lost_during_a_booking(stage: Stage) -> None:
    booker = stage.booker(stage.world.whatsapp_user("Zoë"), plan_for_one())
    await books_through(
        booker,
        stage.world.twilio.faults,
        Fault(FaultKind.SERVER_ERROR, "POST Messages", times=2, after=1),
        Fault(FaultKind.BAD_GATEWAY, "POST Messages", times=1, after=4),
        Fault(FaultKind.LOSE_ANSWER, "POST Messages", times=2, after=6),
        Fault(FaultKind.TOO_MANY_REQUESTS, "POST Messages", times=1, after=9),
    )


async def test_redis_is_absent_and_nobody_notices(stage: Stage) -> None:
    traveller = stage.world.telegram_user("Ada")
    await travel.ask_for_trip(traveller)
    await travel.search(traveller)
    status, parts = await travel.health(stage)
    assert status == 200, parts
    assert not [line for line in travel.faults_in_log(stage) if "redis" in line.lower()]


@pytest.mark.parametrize("signature", [Signature.MISSING, Signature.WRONG])
async def test_a_forged_message_is_refused_and_leaves_no_row(stage: Stage, signature: Signature) -> None:
    traveller = stage.world.whatsapp_user("Mallory")
    before = await settled_rows(stage)
    answer = await traveller.say("two adults Lagos to London next friday", signature)
    assert answer.status == 403
    assert await rows(stage) == before
    assert traveller.heard == []


@pytest.mark.parametrize("channel", ["telegram", "whatsapp"])
async def test_what_is_delivered_twice_is_answered_once(stage: Stage, channel: str) -> None:
    traveller = new_traveller(stage, channel)
    await travel.ask_for_trip(traveller)
    for _ in range(3):
        await traveller.redeliver()
    await traveller.say("/help")
    await hear(traveller, "what is different")
    assert len([message for message in traveller.heard if "Is that right?" in message.text]) == 1
    async with stage.database() as database, database.snapshot() as connection:
        taken = await connection.scalar(
            sa.select(sa.func.count()).select_from(inbox).where(inbox.c.lane == f"{channel}:{traveller.key}")
        )
    assert taken == 2


async def test_a_double_tap_makes_one_booking(stage: Stage) -> None:
    """On every button of the way."""
    traveller = stage.world.telegram_user("Ada")
    await travel.ask_for_trip(traveller)
    await double_tap(traveller, "Yes, search")
    await hear(traveller, travel.OFFERS)
    await double_tap(traveller, "1")
    await hear(traveller, "Who is flying?")
    await travel.introduce(traveller, "Ada Obi")
    await double_tap(traveller, "On-chain")
    await travel.read_due(traveller)
    await traveller.say("/status")
    await hear(traveller, "I have not seen your payment yet")
    async with stage.database() as database, database.snapshot() as connection:
        for table in (bookings, payments):
            chat = f"telegram:{traveller.key}"
            assert await connection.scalar(sa.select(sa.func.count()).where(table.c.chat == chat)) == 1
    assert len([m for m in traveller.heard if travel.ADDRESS.fullmatch(m.text)]) == 1
    assert traveller.spinning == []


async def test_a_traveller_who_blocks_the_bot_holds_up_nobody_and_finds_the_ticket_afterwards(stage: Stage) -> None:
    gone = stage.world.telegram_user("Ada")
    due = await travel.book(gone, "Ada Obi")
    await gone.block()
    await stage.anvil.send(due.address, due.wei)

    async def is_ticketed() -> bool:
        async with stage.database() as database, database.snapshot() as connection:
            chat = f"telegram:{gone.key}"
            return await connection.scalar(sa.select(bookings.c.state).where(bookings.c.chat == chat)) == "ticketed"

    await until(is_ticketed, within=travel.WITHIN, what="the trip is ticketed all the same")
    await travel.ask_for_trip(stage.world.telegram_user("Bo"))

    await gone.unblock()
    await gone.say("/trips")
    listed = await hear(gone, "ticketed")
    reference = listed.split("Your trips:")[1].split()[0]
    await gone.say(f"/trips {reference}")
    paper = await travel.ticket(gone)
    assert paper.file is not None
    assert paper.file.content.startswith(b"%PDF")
    assert (await travel.health(stage))[0] == 200


async def double_tap(traveller: Traveller, label: str) -> None:
    message = next(message for message in traveller.heard[::-1] if message.button(label))
    await traveller.press(label, message)
    await traveller.press(label, message)


def new_traveller(stage: Stage, channel: str) -> Traveller:
    return stage.world.telegram_user("Ada") if channel == "telegram" else stage.world.whatsapp_user("Zoë")


async def settled_rows(stage: Stage) -> dict[str, int | None]:
    """The rows once what travellers of other tests were sent has been told as delivered and read."""
    before = await rows(stage)
    while True:
        await asyncio.sleep(1)
        now = await rows(stage)
        if now == before:
            return now
        before = now


async def rows(stage: Stage) -> dict[str, int | None]:
    """How many rows each table has."""
    tables = [table for metadata in METADATA for table in metadata.sorted_tables]
    async with stage.database() as database, database.snapshot() as connection:
        return {table.name: await connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables}
