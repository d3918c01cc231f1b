"""Many travellers at once on both channels: each gets its own, and nobody anything of another's."""

import asyncio
import itertools
import re
import time
from pathlib import Path

from sandbox.transcript import Sender
from sandbox.traveller import Traveller
from scripts.demo import Booker, Person, Plan
from tests.e2e import travel
from tests.e2e.stage import Stage

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\b")
REFERENCE = re.compile(r"You are booked\. Reference \W*([A-Z2-9]{6})")
SYLLABLES = ("ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu")
ROUTES = (("Zagreb", "Lisbon"), ("Lagos", "London"), ("Paris", "Rome"), ("Madrid", "Vienna"), ("Oslo", "Athens"))


async def test_many_travellers_at_once(tmp_path: Path, long_form: bool) -> None:
    count = 200 if long_form else 20
    async with Stage.open(tmp_path, block_time=1.0) as stage:
        await stage.start_daemon()
        bookers = [booker(stage, number) for number in range(count)]
        began = time.monotonic()
        async with (
            asyncio.timeout(600 if long_form else 90),
            travel.watched_health(stage) as statuses,
            asyncio.TaskGroup() as group,
        ):
            for each in bookers:
                group.create_task(each.book())
        seconds = time.monotonic() - began
        print(  # noqa: T201 - the figure is what a run is looked at for
            f"\n{count} travellers booked, paid and ticketed in {seconds:.1f} s: {60 * count / seconds:.0f} a minute"
        )
        check_tickets(bookers, tmp_path)
        check_nothing_of_another(bookers)
        assert set(statuses) == {200}, "the daemon was not ready all the time"
        assert travel.faults_in_log(stage) == []


def booker(stage: Stage, number: int) -> Booker:
    """A traveller of the ``number``-th kind: every second on WhatsApp, each with a name that nobody else has."""
    name = f"{syllables(number)} {syllables(number + 7919)}"
    world = stage.world
    traveller = world.telegram_user(name) if number % 2 == 0 else world.whatsapp_user(name)
    return stage.booker(traveller, plan(number, name))


def plan(number: int, name: str) -> Plan:
    origin, destination = ROUTES[number % len(ROUTES)]
    trip = travel.trip(origin, destination, days=30 + number % 40)
    mail = f"{name.replace(' ', '.').lower()}@example.com"
    person = Person(name, f"{name}, 29 February 1996, female, {mail}, +385 91 234 5678")
    return Plan(trip, "make it business", (person,), choice=str(1 + number % 3), via_contract=number % 5 == 0)


def syllables(number: int) -> str:
    """A name for a number, the same length for all, no two alike: so that none is part of another."""
    letters = []
    for _ in range(4):
        number, digit = divmod(number, len(SYLLABLES))
        letters.append(SYLLABLES[digit])
    return "".join(letters).capitalize()


def check_tickets(bookers: list[Booker], folder: Path) -> None:
    """Each ticket names its traveller, its flights and its transaction."""
    problems = [problem for each in bookers for problem in each.keep_tickets(folder / "tickets", lambda told: None)]
    assert problems == []


def check_nothing_of_another(bookers: list[Booker]) -> None:
    """One address and one reference a chat, all different, and no chat saw a name, address or reference of another."""
    said = {each.traveller.name: text_of(each.traveller) for each in bookers}
    seen = {name: secrets_in(name, text) for name, text in said.items()}
    for one, other in itertools.permutations(seen, 2):
        assert not any(secret in said[one] for secret in seen[other]), f"{one} saw something of {other}"
    for position, what in enumerate(("names", "addresses", "references")):
        assert len({secrets[position] for secrets in seen.values()}) == len(bookers), (
            f"the {what} are not all different"
        )


def text_of(traveller: Traveller) -> str:
    """All that the bot ever showed in this chat, file names included."""
    shown = [event.message for event in traveller.conversation.events if event.message is not None]
    return "\n".join(
        f"{message.text} {message.file.filename if message.file else ''}"
        for message in shown
        if message.sender is Sender.BOT
    )


def secrets_in(name: str, text: str) -> tuple[str, str, str]:
    [address] = set(ADDRESS.findall(text))
    [reference] = set(REFERENCE.findall(text))
    assert name in text
    return name, address, reference
