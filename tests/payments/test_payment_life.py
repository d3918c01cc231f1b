"""A payment on chain from its start to each of its ends, on a real database."""

from datetime import timedelta

import sqlalchemy as sa

from indexer.addresses import AddressBook
from payments import store
from payments.checkout import LOOK_AGAIN
from payments.payment import State
from payments.tables import audit_log, deposit_addresses, payment_changes, payments
from tests.payments.conftest import DUE, XPUB, Wing


async def test_opened_with_an_address_of_its_own_that_is_watched_from_a_named_block(wing: Wing) -> None:
    first, second = await wing.start("bkg_1"), await wing.start("bkg_2")

    assert first.address != second.address
    assert wing.chain.watched == [first.address, second.address]
    async with wing.database.snapshot() as connection:
        baselines = (await connection.execute(sa.select(deposit_addresses.c.baseline))).scalars().all()
    assert baselines[0] == {"block": 7, "hash": "0x07", "balance": "0", "nonce": 0}


async def test_an_address_with_a_life_before_is_skipped_for_ever(wing: Wing) -> None:
    first = await wing.start("bkg_1")
    book = AddressBook(XPUB)
    wing.chain.used.add(book.address(1))
    second = await wing.start("bkg_2")
    await wing.timer.scan()
    second = await wing.payment(second.id)

    assert [first.address, second.address] == [book.address(0), book.address(2)]
    async with wing.database.snapshot() as connection:
        skipped = await connection.scalar(sa.select(deposit_addresses.c.skipped).where(deposit_addresses.c.index == 1))
    assert skipped == "it already had a balance or a transaction"


async def test_counts_up_to_complete_and_tells_each_step_once(wing: Wing) -> None:
    payment = await wing.start()
    assert payment.address
    deposit = wing.chain.pays(payment.address, DUE)
    states = [(await wing.read(payment)).state]
    for depth in (1, 2, 3):
        deposit = wing.chain.deepen(deposit, depth)
        states.append((await wing.read(payment)).state)

    assert states == [State.PROCESSING, State.PROCESSING, State.PROCESSING, State.COMPLETE]
    told = [(after.state, after.confirmations) for _, after in wing.told.changes[1:]]
    assert told == [(State.PROCESSING, 0), (State.PROCESSING, 1), (State.PROCESSING, 2), (State.COMPLETE, 3)]
    async with wing.database.snapshot() as connection:
        history = (await connection.execute(sa.select(payment_changes.c.after, payment_changes.c.reason))).all()
        audited = (await connection.execute(sa.select(audit_log.c.action))).scalars().all()
    assert [row.after for row in history] == ["pending", "pending", "processing", "complete"]
    assert all(row.reason for row in history)
    assert audited == ["payment_started", "payment_opened", "payment_changed", "payment_changed"]


async def test_one_wei_short_is_not_paid_until_it_comes(wing: Wing) -> None:
    payment = await wing.start()
    assert payment.address
    wing.chain.pays(payment.address, DUE - 1, confirmations=3)
    short = await wing.read(payment)
    assert (short.state, short.missing) == (State.UNDERPAID, 1)

    wing.chain.pays(payment.address, 1, confirmations=3)
    assert (await wing.read(payment)).state is State.COMPLETE


async def test_three_parts_add_up_and_the_youngest_counts(wing: Wing) -> None:
    payment = await wing.start()
    assert payment.address
    wing.chain.pays(payment.address, DUE // 2, confirmations=3)
    wing.chain.pays(payment.address, DUE // 4, confirmations=2)
    wing.chain.pays(payment.address, DUE // 4, confirmations=1)
    seen = await wing.read(payment)
    assert (seen.state, seen.received, seen.confirmations) == (State.PROCESSING, DUE, 1)


async def test_more_than_due_is_paid_and_the_rest_is_known(wing: Wing) -> None:
    payment = await wing.start()
    assert payment.address
    wing.chain.pays(payment.address, 2 * DUE, confirmations=3)
    paid = await wing.read(payment)
    assert paid.state is State.OVERPAID
    assert paid.is_paid
    assert paid.confirmed - paid.due == DUE


async def test_a_reorg_takes_the_count_back_and_it_counts_again(wing: Wing) -> None:
    payment = await wing.start()
    assert payment.address
    deposit = wing.chain.pays(payment.address, DUE, confirmations=2)
    assert (await wing.read(payment)).state is State.PROCESSING
    wing.chain.takes_back(deposit)
    back = await wing.read(payment)
    assert (back.state, back.received) == (State.PENDING, 0)

    wing.chain.pays(payment.address, DUE, confirmations=3)
    assert (await wing.read(payment)).state is State.COMPLETE


async def test_a_deep_reorg_after_complete_is_a_reversal_and_heals(wing: Wing) -> None:
    payment = await wing.start()
    assert payment.address
    deposit = wing.chain.pays(payment.address, DUE, confirmations=3)
    await wing.read(payment)
    wing.chain.takes_back(deposit)
    assert (await wing.read(payment)).state is State.REVERSED

    wing.chain.pays(payment.address, DUE, confirmations=3)
    assert (await wing.read(payment)).state is State.COMPLETE


async def test_expires_when_time_and_chain_have_passed_and_late_money_is_kept(wing: Wing) -> None:
    payment = await wing.start()
    assert payment.address
    wing.clock.forward(minutes=59, seconds=59)
    await wing.timer.scan()
    assert (await wing.payment(payment.id)).state is State.PENDING

    wing.clock.forward(seconds=1)  # the hour is over, but a block of just before may still pay
    await wing.timer.scan()
    assert (await wing.payment(payment.id)).state is State.PENDING

    wing.clock.forward(seconds=12)
    await wing.timer.scan()
    assert (await wing.payment(payment.id)).state is State.EXPIRED

    wing.clock.forward(days=7)
    await wing.timer.scan()
    assert wing.chain.resting == [payment.address]
    wing.chain.pays(payment.address, DUE, confirmations=3)
    late = await wing.read(payment)
    assert (late.state, late.confirmed) == (State.LATE, DUE)


async def test_does_not_expire_while_the_chain_has_not_been_read_to_the_end(wing: Wing) -> None:
    payment = await wing.start()
    assert payment.address
    wing.chain.known_until = wing.clock.now()
    wing.clock.forward(hours=1, seconds=30)
    await wing.timer.scan()
    assert (await wing.payment(payment.id)).state is State.PENDING

    wing.chain.pays(payment.address, DUE)  # sent in time, seen now
    assert (await wing.read(payment)).state is State.PROCESSING
    wing.chain.known_until = None
    wing.clock.forward(minutes=30)
    await wing.timer.scan()
    assert (await wing.payment(payment.id)).state is State.PROCESSING


async def test_cancelled_by_the_traveller_unless_money_has_come(wing: Wing) -> None:
    empty, funded = await wing.start("bkg_1"), await wing.start("bkg_2")
    assert funded.address
    wing.chain.pays(funded.address, DUE)
    await wing.read(funded)
    async with wing.database.transaction() as tx:
        assert (await wing.checkout.cancel(tx, empty.id)).state is State.CANCELLED
        assert (await wing.checkout.cancel(tx, funded.id)).state is State.PROCESSING

    assert empty.address
    wing.chain.pays(empty.address, 5, confirmations=3)
    assert (await wing.read(empty)).state is State.LATE


async def test_a_chain_that_does_not_answer_ends_in_a_plain_failure_not_in_silence(wing: Wing) -> None:
    wing.chain.is_down = True
    payment = await wing.start()
    assert payment.opened_at is None
    for _ in range(4):
        wing.clock.forward(seconds=2)
        await wing.timer.scan()
    assert (await wing.payment(payment.id)).state is State.FAILED


async def test_what_could_not_be_opened_before_its_end_is_never_opened(wing: Wing) -> None:
    wing.chain.is_down = True
    payment = await wing.start()
    wing.clock.forward(hours=1)
    wing.chain.is_down = False
    await wing.timer.scan()
    ended = await wing.payment(payment.id)
    assert (ended.state, ended.opened_at, wing.chain.watched) == (State.EXPIRED, None, [])
    assert await wing.timer.scan() == 0


async def test_a_payment_looked_at_too_early_is_left_alone_until_its_end(wing: Wing) -> None:
    payment = await wing.start()
    async with wing.database.transaction() as tx:  # as after a look that failed
        await store.postpone(tx, payment.id, wing.clock.now() + LOOK_AGAIN)
    wing.clock.moment += LOOK_AGAIN
    assert [await wing.timer.scan(), await wing.timer.scan()] == [1, 0]
    wing.clock.moment = payment.expires_at + timedelta(minutes=1)
    await wing.timer.scan()
    assert (await wing.payment(payment.id)).state is State.EXPIRED


async def test_a_payment_that_cannot_be_weighed_holds_up_no_other_and_is_weighed_once_it_can_be(wing: Wing) -> None:
    broken, sound = await wing.start("bkg_1"), await wing.start("bkg_2")
    assert broken.address
    assert sound.address
    quote = await _write_quote(wing, broken.id, {})
    for address in (broken.address, sound.address):
        wing.chain.pays(address, DUE, confirmations=3)

    assert (await wing.read(sound)).state is State.COMPLETE
    assert await wing.reader.retry() == 1
    await _write_quote(wing, broken.id, quote)
    assert [await wing.reader.retry(), await wing.reader.retry()] == [0, 0]
    assert (await wing.payment(broken.id)).state is State.COMPLETE
    assert [after.id for _, after in wing.told.changes if after.is_paid] == [sound.id, broken.id]


async def _write_quote(wing: Wing, payment_id: str, quote: object) -> object:
    """Another quote for what the payment's row holds; the one it had."""
    async with wing.database.transaction() as tx:
        before = await tx.connection.scalar(sa.select(payments.c.quote).where(payments.c.id == payment_id))
        await tx.execute(payments.update().where(payments.c.id == payment_id).values(quote=quote))
    return before
