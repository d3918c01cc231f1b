"""A payment is open: where to send what, what has come, and whatever does not go to plan."""

from dataclasses import replace

from bot.channels.model import Text
from bot.channels.text import paragraphs
from bot.conversation.context import Context
from bot.conversation.effects import CancelPayment, Effect, Option, Say, SayQr, Step
from bot.conversation.events import PaymentChanged, PaymentOpened
from bot.conversation.phrases import common
from bot.conversation.phrases import paying as phrases
from bot.conversation.session import Session, Stage
from bot.conversation.stages import method
from bot.conversation.turn import Turn, ahead, say
from bot.conversation.understanding import Intent
from payments.payment import PAID, Payment, State

SHOW = Option("Show address", "address")
CANCEL = Option("Cancel payment", "cancel")


def prompt(session: Session, context: Context, lead: str | Text = ()) -> Step:
    payment = context.payment
    if payment is None:
        return Step(session, (say(paragraphs(lead, phrases.preparing())),))
    status = phrases.status(payment, context.paying, context.now)
    return Step(session, (say(paragraphs(lead, status), _options(payment, context)),))


def answer(session: Session, turn: Turn, context: Context) -> Step:
    """Whatever the traveller writes, the payment stays open, until they say that it should not."""
    payment = context.payment
    if turn.action == "address" and payment is not None and phrases.is_asked(payment, context.now):
        return Step(session, where_to_pay(payment, context))
    if turn.action == "cancel":
        return ask_cancel(session, context)
    return prompt(session, context)


def _options(payment: Payment, context: Context) -> tuple[Option, ...]:
    """Only what can still be done: money that has come is seen through first."""
    show = (SHOW,) if phrases.is_asked(payment, context.now) else ()
    return (*show, CANCEL) if payment.state is State.PENDING else show


def ask_cancel(session: Session, context: Context) -> Step:
    payment = context.payment
    if payment is None or payment.state is not State.PENDING:
        return prompt(session, context, phrases.cannot_cancel(payment))
    options = (Option("Yes, cancel", "leave"), Option("Keep it open", "stay"))
    return Step(replace(session, leaving=True), (say(phrases.ASK_CANCEL, options),))


def answer_cancel(session: Session, turn: Turn, context: Context) -> Step:
    """After ``ask_cancel``: only a clear yes cancels."""
    stays = replace(session, leaving=False)
    if turn.action == "leave" or turn.only(Intent.YES) or turn.only(Intent.CANCEL):
        if context.payment is None or context.payment.state is not State.PENDING:  # money came while we asked
            return prompt(stays, context, phrases.cannot_cancel(context.payment))
        return Step(stays, (CancelPayment(context.payment.id),))
    is_open = context.payment is None or context.payment.is_waiting
    return prompt(stays, context, phrases.KEPT_OPEN if is_open else "")


def opened(session: Session, event: PaymentOpened, context: Context) -> Step:
    """The address is known. Told even where the conversation has moved on: it is the traveller's payment. But not
    where it has ended meanwhile: that is news of its own."""
    if not phrases.is_asked(event.payment, context.now):
        return Step(session)
    return Step(session, where_to_pay(event.payment, context))


def where_to_pay(payment: Payment, context: Context) -> tuple[Effect, ...]:
    """Instructions, the address as a message of its own, and the QR code of the payment link."""
    uri = context.paying.payment_link(payment)
    document = f"qr:{payment.id}:{payment.missing}"
    return (
        Say(phrases.instructions(payment, context.paying, context.now)),
        Say(phrases.address(payment)),
        SayQr(uri, phrases.qr_caption(payment), document),
        Say(phrases.link_line(uri), (_options(payment, context),)),
    )


def changed(session: Session, event: PaymentChanged, context: Context) -> Step:
    """Tell what the evidence says, in the right words; move on where it is settled."""
    payment = event.payment
    mine = session.payment_id == payment.id and session.stage in (Stage.PAYING, Stage.ISSUING)
    words = _news(event, context)
    if not mine:
        return Step(session, words)
    if payment.state in PAID and event.before not in PAID:
        return Step(session.at(Stage.ISSUING), words)
    if payment.state in (State.EXPIRED, State.CANCELLED, State.FAILED):
        choose_again = replace(session.at(Stage.METHOD), payment_id=None, booking_id=None)
        return ahead(method.prompt(choose_again, context), *words)
    return Step(session, words)


def _news(event: PaymentChanged, context: Context) -> tuple[Effect, ...]:
    payment, facts = event.payment, context.paying
    slot = f"payment:{payment.id}:status"
    match payment.state:
        case State.PROCESSING:
            back = (say(phrases.taken_back()),) if payment.received < event.received_before else ()
            return (*back, say(phrases.progress(payment, facts), slot=slot))
        case State.PENDING:
            return (say(phrases.taken_back()),)
        case State.UNDERPAID:
            return _ask_for_rest(payment, context)
        case State.COMPLETE | State.OVERPAID if event.before is State.REVERSED:
            return (say(phrases.confirmed_again()),)
        case State.OVERPAID if event.before is State.COMPLETE:
            return (say(phrases.overpaid(payment)),)
        case State.OVERPAID if event.before is State.OVERPAID and payment.received == payment.confirmed:
            return (say(phrases.overpaid(payment)),)
        case State.COMPLETE | State.OVERPAID if event.before in PAID:
            return ()  # more is coming: told once it is certain
        case State.COMPLETE | State.OVERPAID:
            more = (say(phrases.overpaid(payment)),) if payment.state is State.OVERPAID else ()
            return (say(phrases.confirmed(payment, facts), slot=slot), *more, say(phrases.issuing()))
        case State.EXPIRED | State.CANCELLED | State.FAILED if event.before is State.LATE:
            return (say(phrases.taken_back()),)
        case State.EXPIRED | State.CANCELLED | State.FAILED if event.before is payment.state:
            return ()  # money is coming after the end: told once it is certain, as LATE
        case State.EXPIRED:
            return (say(phrases.expired(payment)),)
        case State.LATE if event.before is State.LATE and payment.received != payment.confirmed:
            return ()
        case State.LATE:
            return (say(phrases.late(payment, facts, event.before)),)
        case State.REVERSED:
            return (say(phrases.reversed_payment()),) if event.before is not State.REVERSED else ()
        case State.CANCELLED:
            return (say(phrases.cancelled()),)
        case State.FAILED:
            return (say(phrases.failed(payment.method, facts.methods)),)
        case State.REFUNDED:
            return ()


def _ask_for_rest(payment: Payment, context: Context) -> tuple[Effect, ...]:
    """What is still missing, and a QR code of it; only what has come, where the payment has ended since."""
    now = context.payment if context.payment is not None and context.payment.id == payment.id else payment
    if not phrases.is_asked(now, context.now):
        return (say(phrases.received_part(payment)),)
    return (
        say(phrases.underpaid(payment), _options(payment, context)),
        SayQr(context.paying.payment_link(payment), phrases.qr_caption(payment), f"qr:{payment.id}:{payment.missing}"),
    )


def prompt_issuing(session: Session, context: Context, lead: str | Text = ()) -> Step:
    payment = context.payment
    status = phrases.still_issuing() if payment is None else phrases.status(payment, context.paying, context.now)
    return Step(session, (say(paragraphs(lead, status)),))


def answer_issuing(session: Session, turn: Turn, context: Context) -> Step:
    lead = common.THANKS if turn.wants(Intent.THANKS) else ""
    return prompt_issuing(session, context, lead)
