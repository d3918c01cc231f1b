"""Words for every stage: help, being lost and found, trips, tickets."""

from bot.channels.model import Text
from bot.channels.text import bold, code, italic, lines, paragraphs, text
from bot.conversation.events import Ticketed
from bot.conversation.phrases.forms import listing
from bot.conversation.session import Stage

HELP_BY_STAGE = {
    Stage.TRIP: "Tell me where from, where to, when, who and which cabin, in any order.",
    Stage.CONFIRM: "Say yes and I search; or write what is different: “make it business”, “back on the 15th”.",
    Stage.SEARCHING: "I am searching. You may still change something: “leave a day later”.",
    Stage.OFFERS: "Choose an offer by its number, or say “fastest”, “cheapest”, “more”, or what to change.",
    Stage.TRAVELLERS: "I need each traveller as in the passport. /back asks for the last one again.",
    Stage.METHOD: "Choose how to pay, or say “change travellers”. Nothing is charged before you pay.",
    Stage.PAYING: "Send the amount to the address; I watch the network and tell you each step.",
    Stage.ISSUING: "Your tickets are being issued. You need to do nothing.",
}

COMMANDS = (
    ("start", "Begin, or see where we are"),
    ("status", "Where we are"),
    ("trips", "Your trips; with a reference, its tickets again"),
    ("back", "One step back"),
    ("cancel", "Give up this trip or payment"),
    ("help", "What I can do"),
)


def help_text(stage: Stage) -> Text:
    return paragraphs(
        HELP_BY_STAGE[stage],
        lines(*(f"/{command} – {meaning}" for command, meaning in COMMANDS)),
    )


STALE = "That button is from an older message. Here is where we are:"
UNREADABLE = "I can only read text so far. Please write it."
WELCOME_BACK = "Welcome back. Here is where we are:"
NOTHING_TO_CANCEL = "There is nothing to cancel. Where would you like to go?"
GIVEN_UP = "That trip is dropped. Tell me about another one whenever you like."
ASK_START_OVER = "Drop this trip and start over?"
LOST_THREAD = (
    "I have lost the thread of our talk, so please begin again. What you have paid and booked is kept: see /trips."
)
CANNOT_GO_BACK = "There is nothing to go back to from here."
NOT_UNDERSTOOD = "I did not understand that."
THANKS = "You are welcome."


def unknown_command(word: str) -> str:
    return f"I do not know {word}. /help shows what I can do."


def ticketed(event: Ticketed, *, is_sample: bool) -> Text:
    alone = len(event.travellers) == 1
    sample = text(italic("A sample from the offline timetable, not a real seat.")) if is_sample else ()
    return lines(
        text("You are booked. Reference ", code(event.reference), f", airline reference {event.airline_reference}."),
        f"{'The ticket' if alone else 'Tickets'} for {listing(event.travellers)} {'follows' if alone else 'follow'}.",
        sample,
    )


def ticketing_delayed(reference: str) -> str:
    return (
        f"The airline is slow to confirm {reference}. Your payment is safe, I keep trying, and the tickets come here "
        "as soon as they are there. You may go on writing meanwhile."
    )


def ticketing_failed(reference: str) -> str:
    return (
        f"Your payment is in, but the airline could not confirm the seats for {reference}. Your money is safe and "
        "recorded as yours; a person is looking at it and you will hear from us here."
    )


def no_trips() -> str:
    return "You have no paid trips yet."


def trips(rows: list[tuple[str, str, str]], ticketed: str | None = None) -> Text:
    """Reference, route and dates, and state of each. ``ticketed``: the reference of one that has tickets."""
    listed = [text(bold(reference), f" · {trip} · {state}") for reference, trip, state in rows]
    return paragraphs("Your trips:", lines(*listed), f"/trips {ticketed} sends its tickets again." if ticketed else "")
