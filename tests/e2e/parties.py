"""Travellers who book by themselves, one on each channel, and what they must hold in the end."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.transcript import EventKind, Sender
from scripts.demo import Booker
from tests.e2e.books import is_settled, problems_in
from tests.e2e.stage import Stage, plan_for_one, plan_for_two, until

LENGTH = 56  # messages and edits in both conversations of an undisturbed pair of bookings
_SHOWN = (EventKind.MESSAGE, EventKind.EDIT)


@dataclass(frozen=True, slots=True)
class Party:
    """One traveller and how many fly."""

    booker: Booker
    size: int

    @property
    def chat(self) -> str:
        conversation = self.booker.traveller.conversation
        return f"{conversation.channel}:{conversation.key}"

    @property
    def repeats(self) -> int:
        """How many messages came once more."""
        said: Counter[tuple[str, str]] = Counter()
        for event in self.booker.traveller.conversation.events:
            if event.kind is EventKind.MESSAGE and event.message and event.message.sender is Sender.BOT:
                said[event.message.text, event.message.file.filename if event.message.file else ""] += 1
        return said.total() - len(said)

    @property
    def shown(self) -> int:
        """How many messages and edits there have been, of both sides: how far the booking has come."""
        return sum(event.kind in _SHOWN for event in self.booker.traveller.conversation.events)


def one_on_each_channel(stage: Stage, number: int) -> tuple[Party, Party]:
    """Two on Telegram, one on WhatsApp. ``number`` tells them from others'."""
    telegram, whatsapp = stage.world.telegram_user(f"Ada {number}"), stage.world.whatsapp_user(f"Zoë {number}")
    return (
        Party(stage.booker(telegram, plan_for_two(number)), 2),
        Party(stage.booker(whatsapp, plan_for_one(number)), 1),
    )


async def book(parties: Sequence[Party], *, within: float) -> None:
    """All of them at once. Raises AssertionError with a conversation that has stopped."""
    try:
        async with asyncio.timeout(within), asyncio.TaskGroup() as bookings:
            for party in parties:
                bookings.create_task(party.booker.book())
    except TimeoutError:
        stuck = [party.booker.traveller for party in parties if not party.booker.has_all_tickets]
        shown = "\n\n".join(f"{each.name}:\n{each.conversation.render()}" for each in stuck)
        raise AssertionError(f"no ticket within {within:g} s\n{shown}") from None


async def what_is_wrong(stage: Stage, parties: Sequence[Party], *, repeats_allowed: int) -> list[str]:
    """In words: in the tickets, in the conversations, in the database. The daemon must run, to come to its rest."""
    await stage.daemon.wait_until_ready()
    problems = []
    for party in parties:
        problems += party.booker.keep_tickets(stage.folder / "tickets", lambda told: None)
        if party.repeats > repeats_allowed:
            rendered = party.booker.traveller.conversation.render(200)
            problems.append(f"{party.chat} read {party.repeats} messages twice, not {repeats_allowed}:\n{rendered}")
    async with stage.database() as database:
        await until(lambda: is_settled(database), within=20, what="every fact handled and every letter sent")
        return problems + await problems_in(database, {party.chat: party.size for party in parties})
