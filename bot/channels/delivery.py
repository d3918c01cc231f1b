"""Between the outbox and the channels: how an ``Outbound`` is posted, and how its letter finds its sender."""

from typing import Protocol

from bot.channels.codec import UnreadablePayload, dump_outbound, load_outbound
from bot.channels.model import Outbound
from runtime.database import Transaction
from runtime.outbox import Deliver, Letter, Outbox, Receipt, Undeliverable


class Sender(Protocol):
    """A channel's way out. ``deliver`` raises ``RetryLater``, ``Undeliverable``, or what is to be tried again."""

    async def deliver(self, outbound: Outbound, letter: Letter) -> Receipt: ...


async def post_message(outbox: Outbox, tx: Transaction, outbound: Outbound) -> int:
    """Post a message in the transaction that causes it; the letter's id."""
    return await outbox.post(tx, lane=str(outbound.chat), payload=dump_outbound(outbound), slot=outbound.slot)


def deliver_by(sender: Sender) -> Deliver:
    """What a channel's courier calls."""

    async def deliver(letter: Letter) -> Receipt:
        try:
            outbound = load_outbound(letter.payload)
        except UnreadablePayload as error:
            raise Undeliverable(str(error)) from error
        return await sender.deliver(outbound, letter)

    return deliver
