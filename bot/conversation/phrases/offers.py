"""Offers of a search: the list, the choice, and when there are none."""

from collections.abc import Sequence

from bot.channels.model import Text
from bot.channels.text import bold, italic, lines, paragraphs, text
from bot.conversation.phrases.forms import CABINS, clock_time, length, short_day
from bot.conversation.session import Sort
from bot.flights.model import FareConditions, Offer, Slice

NUMBERS = {1: "One", 2: "Two", 3: "Three", 4: "Four", 5: "Five"}


def offer_list(offers: Sequence[Offer], first: int, total: int, sort: Sort) -> Text:
    """A page of offers. ``first``: the number of its first one."""
    order = "fastest first" if sort is Sort.FASTEST else "cheapest first"
    head = f"{_shown(len(offers), first, total)}{f', {order}' if total > 1 else ''}. {_whose(offers[0])}"
    blocks = [_block(number, offer) for number, offer in enumerate(offers, first)]
    return paragraphs(f"{head} Times are local.", *blocks)


def _shown(count: int, first: int, total: int) -> str:
    """``Five of 38 offers``, ``All 3 offers``, ``One offer``, ``Offers 6–10 of 38``, ``Offer 36 of 36``."""
    if count == total:
        return f"All {total} offers" if total > 1 else "One offer"
    if first == 1:
        return f"{NUMBERS.get(count, str(count))} of {total} offers"
    return f"Offers {first}–{first + count - 1} of {total}" if count > 1 else f"Offer {first} of {total}"


def _whose(offer: Offer) -> str:
    people = {1: "one traveller", 2: "both of you"}.get(offer.party.size, f"all {offer.party.size} of you")
    ways = ", there and back" if len(offer.slices) > 1 else ""
    return f"Prices are for {people}{ways}."


def _block(number: int, offer: Offer) -> Text:
    sample: list[str | Text] = [" · ", text(italic("sample fare"))] if offer.is_sample else []
    return lines(
        text(bold(f"{number} · {offer.total}"), f" · {offer.airline} · {_stops(offer)}", *sample),
        *itinerary(offer),
        f"{_bags(offer)} · {conditions(offer.conditions)}",
    )


def itinerary(offer: Offer) -> list[str]:
    """One line a direction, and one below it for each change of planes."""
    names = ("out", "back") if len(offer.slices) == 2 else ("",) * len(offer.slices)
    return [line for name, part in zip(names, offer.slices, strict=True) for line in _direction(name, part)]


def _direction(name: str, part: Slice) -> list[str]:
    start, end = part.segments[0], part.segments[-1]
    days = (part.arrives.date() - part.departs.date()).days
    later = f" ({days:+d} day{'s' if abs(days) > 1 else ''})" if days else ""
    flights = ", ".join(segment.flight for segment in part.segments)
    head = (
        f"{name} {short_day(part.departs)} {clock_time(part.departs)} {start.origin.iata} → "
        f"{clock_time(part.arrives)} {end.destination.iata}{later} · {length(part.duration)} · {flights}"
    )
    changes = [
        f"  change in {one.destination.city} ({one.destination.iata}), {length(other.departs - one.arrives)}"
        for one, other in zip(part.segments, part.segments[1:], strict=False)
    ]
    return [head.strip(), *changes]


def _stops(offer: Offer) -> str:
    most = max(part.stops for part in offer.slices)
    cabin = CABINS[offer.slices[0].segments[0].cabin]
    stops = "nonstop" if most == 0 else f"{most} stop{'s' if most > 1 else ''}"
    return f"{stops} · {cabin}"


def _bags(offer: Offer) -> str:
    bags = min(segment.checked_bags for part in offer.slices for segment in part.segments)
    if not bags:
        return "hand luggage only"
    return f"{bags} checked bag{'s' if bags > 1 else ''} each"


def conditions(fare: FareConditions) -> str:
    if not fare.refundable:
        refund = "not refundable"
    elif fare.refund_penalty is None or fare.refund_penalty.minor == 0:
        refund = "refundable free of charge"
    else:
        refund = f"refundable for {fare.refund_penalty}"
    if not fare.changeable:
        return refund
    free = fare.change_penalty is None or fare.change_penalty.minor == 0
    return f"{refund} · changes {'free' if free else f'for {fare.change_penalty}'}"


def chosen(offer: Offer) -> Text:
    sample: list[str | Text] = [text(italic("A sample fare from the offline timetable, not a real seat."))]
    return lines(
        text(bold(f"{offer.total}"), f" · {offer.airline} · {_stops(offer)}"),
        *itinerary(offer),
        f"{_bags(offer)} · {conditions(offer.conditions)}",
        *(sample if offer.is_sample else []),
    )


SEARCHING = "Searching for flights …"
NO_OFFERS = "I found no flights for that. Another day or a nearby airport may help."
TOO_OLD = "Those prices are no longer valid, so I am searching again."
NO_MORE = "That is all there is. Here are the first ones again."
HINT = 'Reply with a number, "fastest", "cheapest" or "more".'

SEARCH_DOWN = "The flight search does not answer right now. Shall I try again?"
TOO_MANY_SEARCHES = "That was a lot of searches in a short time. Give me a minute, then try again."
