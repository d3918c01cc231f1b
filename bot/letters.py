"""Dead letters of the inbox, the outbox and the jobs as one list, for the operator."""

import asyncio
import json

from bot.schema import check_current
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.dead_letters import DeadLetter, Origin
from runtime.errors import LayoverError
from runtime.inbox import Inbox
from runtime.jobs import Jobs
from runtime.outbox import Outbox


class BadLetterId(LayoverError):
    def __init__(self, given: str | None) -> None:
        super().__init__(
            f"{given or 'nothing'} names no letter: take an id such as inbox:17 from 'layover letters list'"
        )


async def act(url: str, action: str, letter: str | None) -> str:
    """Carry out ``list``, ``show`` or ``replay``; what to print. Raises SchemaBehind where the tables are missing."""
    await asyncio.to_thread(check_current, url)
    async with Database.open(url) as database:
        desk = _Desk(database)
        if action == "list":
            return _table(await desk.all())
        origin, _, letter_id = (letter or "").partition(":")
        if origin not in list(Origin) or not letter_id:
            raise BadLetterId(letter)
        if action == "show":
            return _details(await desk.one(Origin(origin), letter_id))
        if await desk.replay(Origin(origin), letter_id):
            return f"{letter} will be tried again."
        return f"{letter} was dropped: a newer message in its place tells how things are now."


class _Desk:
    def __init__(self, database: Database) -> None:
        clock = SystemClock()
        self._database = database
        self._inbox = Inbox(clock)
        self._outbox = Outbox(clock)
        self._jobs = Jobs(database, clock)

    async def all(self) -> list[DeadLetter]:
        found = [
            *await self._inbox.dead_letters(self._database),
            *await self._outbox.dead_letters(self._database),
            *await self._jobs.dead_letters(),
        ]
        return sorted(found, key=lambda letter: letter.died_at, reverse=True)

    async def one(self, origin: Origin, letter_id: str) -> DeadLetter:
        match origin:
            case Origin.INBOX:
                return await self._inbox.dead_letter(self._database, letter_id)
            case Origin.OUTBOX:
                return await self._outbox.dead_letter(self._database, letter_id)
            case Origin.JOBS:
                return await self._jobs.dead_letter(letter_id)

    async def replay(self, origin: Origin, letter_id: str) -> bool:
        """False when it has been overtaken and is dropped."""
        if origin is Origin.JOBS:
            await self._jobs.replay(letter_id)
            return True
        async with self._database.transaction() as tx:
            if origin is Origin.OUTBOX:
                return await self._outbox.replay(tx, letter_id)
            await self._inbox.replay(tx, letter_id)
            return True


def _table(letters: list[DeadLetter]) -> str:
    if not letters:
        return "No dead letters."
    rows = [
        f"{letter.died_at:%Y-%m-%d %H:%M}  {letter.origin}:{letter.id}  {letter.name}  {letter.error}"
        for letter in letters
    ]
    return "\n".join(rows)


def _details(letter: DeadLetter) -> str:
    return "\n".join(
        [
            f"{letter.origin}:{letter.id} ({letter.name}, lane {letter.lane or '-'})",
            f"died {letter.died_at:%Y-%m-%d %H:%M:%S} UTC after {letter.attempts} attempts: {letter.error}",
            json.dumps(letter.payload, indent=2, ensure_ascii=False),
        ]
    )
