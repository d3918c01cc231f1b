"""All is known: shown once more, and how to pay."""

from dataclasses import replace
from datetime import timedelta

from bot.channels.model import Text
from bot.channels.text import paragraphs, text
from bot.conversation.context import Context
from bot.conversation.effects import Option, StartPayment, Step
from bot.conversation.phrases import common, offers, paying, travellers
from bot.conversation.session import Session, Stage
from bot.conversation.stages import trip
from bot.conversation.turn import Turn, say
from bot.conversation.understanding import Intent
from payments.payment import Method

FARE_MARGIN = timedelta(minutes=15)  # between the end of the time to pay and the end of the fare
LEAST_TIME = timedelta(minutes=10)  # less than that is too short to pay in
ASKED = {Intent.PAY_CARD: "by card", Intent.PAY_USDC: "with USDC", Intent.PAY_ONCHAIN: "on chain"}
KNOWN = {Intent.PAY_ONCHAIN: Method.CLAYER}


def prompt(session: Session, context: Context, lead: str | Text = ()) -> Step:
    assert session.offer is not None
    if not context.paying.methods:
        return Step(session, (say(paying.NOTHING_CONFIGURED),))
    methods = context.paying.methods
    question = paying.ask_method(offers.chosen(session.offer), travellers.overview(session.travellers), methods)
    return Step(session, (say(paragraphs(lead, question), *_options(methods)),))


def _ask_again(session: Session, context: Context, lead: str | Text) -> Step:
    """Only the question: what it is about has just been shown."""
    methods = context.paying.methods
    if not methods:
        return prompt(session, context)
    return Step(session, (say(text(lead, f" So, {paying.how_to_pay(methods)}"), *_options(methods)),))


def _options(methods: tuple[Method, ...]) -> tuple[tuple[Option, ...], ...]:
    pay = tuple(Option(paying.METHOD_NAMES[each], f"pay:{each}") for each in methods)
    return pay, (Option("Change travellers", "travellers"), Option("Other flights", "flights"))


def answer(session: Session, turn: Turn, context: Context) -> Step:
    if named := turn.argument("pay:"):
        return _pay(session, Method(named), context)
    for intent, name in ASKED.items():
        if turn.wants(intent):
            method = KNOWN.get(intent)
            if method in context.paying.methods:
                return _pay(session, method, context)
            return _ask_again(session, context, paying.not_offered(name, context.paying.methods))
    if turn.only(Intent.YES) and len(context.paying.methods) == 1:
        return _pay(session, context.paying.methods[0], context)
    if trip.is_change(turn):
        return trip.take_over(session, turn, context)
    return _ask_again(session, context, trip.problems(turn) or common.NOT_UNDERSTOOD)


def _pay(session: Session, method: Method, context: Context) -> Step:
    offer = session.offer
    assert offer is not None
    if offer.expires_at - FARE_MARGIN - context.now < LEAST_TIME:
        return trip.search(session, context, offers.TOO_OLD)
    start = StartPayment(context.ids.new("bkg"), offer, session.travellers, method, offer.expires_at - FARE_MARGIN)
    paying_session = replace(session.at(Stage.PAYING), booking_id=start.booking_id, payment_id=None)
    return Step(paying_session, (say(paying.preparing()), start))
