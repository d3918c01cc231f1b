"""The search's offers: shown five at a time, sorted, chosen by button, number or words."""

from collections.abc import Sequence
from dataclasses import replace

from bot.channels.model import Text
from bot.channels.text import paragraphs
from bot.conversation.context import Context
from bot.conversation.effects import Option, Step
from bot.conversation.events import SearchFailure, SearchFinished
from bot.conversation.phrases import common
from bot.conversation.phrases import offers as phrases
from bot.conversation.session import Session, Sort, Stage
from bot.conversation.stages import travellers, trip
from bot.conversation.turn import Turn, say
from bot.conversation.understanding import Intent
from bot.flights.model import Offer

PAGE = 5


def finished(session: Session, event: SearchFinished, context: Context) -> Step:
    """The search has an answer. One for a trip that has been changed since is dropped."""
    if session.stage is not Stage.SEARCHING or session.search_id != event.search_id:
        return Step(session)
    if event.failure in (SearchFailure.DOWN, SearchFailure.TOO_MANY):
        words = phrases.SEARCH_DOWN if event.failure is SearchFailure.DOWN else phrases.TOO_MANY_SEARCHES
        again = say(words, (Option("Try again", "search"), Option("Change something", "change")))
        return Step(session.at(Stage.CONFIRM), (again,))
    if not context.offers:
        return trip.ask_what_to_change(session, phrases.NO_OFFERS)
    return prompt(session.at(Stage.OFFERS), context)


def prompt(session: Session, context: Context, lead: str | Text = ()) -> Step:
    """The current page."""
    offers = arranged(context.offers, session.sort)
    if not offers:
        return trip.search(session, context, phrases.TOO_OLD)
    first = session.page * PAGE
    page = offers[first : first + PAGE]
    listed = phrases.offer_list(page, first + 1, len(offers), session.sort)
    numbers = tuple(Option(str(number), f"offer:{number}") for number in range(first + 1, first + 1 + len(page)))
    other = Sort.FASTEST if session.sort is Sort.CHEAPEST else Sort.CHEAPEST
    ways = [Option(f"{other.capitalize()} first", f"sort:{other}")] if len(offers) > 1 else []
    if len(offers) > PAGE:
        ways.append(Option("More", "more"))
    return Step(session, (say(paragraphs(lead, listed), numbers, tuple(ways), hint=phrases.HINT),))


def arranged(offers: Sequence[Offer], sort: Sort) -> list[Offer]:
    if sort is Sort.FASTEST:
        return sorted(offers, key=lambda offer: (offer.duration, offer.total.minor))
    return sorted(offers, key=lambda offer: (offer.total.minor, offer.duration))


def answer(session: Session, turn: Turn, context: Context) -> Step:
    if number := _number(turn):
        return _choose(session, number, context)
    if sort := _sort(turn):
        return prompt(replace(session, sort=sort, page=0), context)
    if turn.action == "more" or turn.wants(Intent.MORE):
        return _more(session, context)
    if trip.is_change(turn):
        return trip.take_over(session, turn, context)
    if turn.understood.problems:
        return prompt(session, context, trip.problems(turn))
    if turn.wants(Intent.CHANGE) or turn.wants(Intent.NO):
        return trip.ask_what_to_change(session)
    return prompt(session, context, common.NOT_UNDERSTOOD)


def _number(turn: Turn) -> int | None:
    if chosen := turn.argument("offer:"):
        return int(chosen)
    return turn.understood.choice if turn.wants(Intent.CHOOSE) else None


def _sort(turn: Turn) -> Sort | None:
    if named := turn.argument("sort:"):
        return Sort(named)
    if turn.wants(Intent.FASTEST):
        return Sort.FASTEST
    return Sort.CHEAPEST if turn.wants(Intent.CHEAPEST) else None


def _more(session: Session, context: Context) -> Step:
    page = session.page + 1
    if page * PAGE >= len(context.offers):
        return prompt(replace(session, page=0), context, phrases.NO_MORE)
    return prompt(replace(session, page=page), context)


def _choose(session: Session, number: int, context: Context) -> Step:
    offers = arranged(context.offers, session.sort)
    if not 1 <= number <= len(offers):
        return prompt(session, context, f"There is no offer {number}: they go from 1 to {len(offers)}.")
    offer = offers[number - 1]
    if offer.expires_at <= context.now:
        return trip.search(session, context, phrases.TOO_OLD)
    return travellers.begin(replace(session, offer=offer), context)
