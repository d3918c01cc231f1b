"""Paying: how, where, what has come, and when it does not go to plan."""

from datetime import datetime

from bot.channels.model import Text
from bot.channels.text import bold, code, lines, link, paragraphs, text
from bot.conversation.context import PayingFacts
from bot.conversation.phrases.forms import clock_time, listing, plain_length, short_hash
from payments.payment import Method, Payment, State

METHOD_NAMES = {Method.CLAYER: "On-chain"}
PAYING = {Method.CLAYER: "on chain"}  # how one pays, within a sentence


def ask_method(trip: Text, travellers: Text, methods: tuple[Method, ...]) -> Text:
    """Everything once more, to be checked, and the question."""
    return paragraphs(trip, travellers, f"If that is right: {how_to_pay(methods)}")


def how_to_pay(methods: tuple[Method, ...]) -> str:
    names = listing([f"'{METHOD_NAMES[method]}'" for method in methods], "or")
    return f"how would you like to pay? {names}"


NOTHING_CONFIGURED = "Paying is not set up here yet, so I cannot book this trip. Nothing was charged."


def not_offered(asked: str, methods: tuple[Method, ...]) -> str:
    """``asked``: "by card"."""
    return f"Paying {asked} is not possible right now. {_work(methods)}"


def preparing() -> str:
    return "One moment, I am getting an address just for your payment."


def is_asked(payment: Payment, now: datetime) -> bool:
    """Whether money may be asked for, with the address: it is open, something is missing, and there is time left."""
    is_open = payment.state in (State.PENDING, State.UNDERPAID) and payment.opened_at is not None
    return is_open and payment.missing > 0 and now < payment.expires_at


def instructions(payment: Payment, facts: PayingFacts, now: datetime) -> Text:
    left = plain_length(payment.expires_at - now)
    return text(
        f"To pay on {facts.network}, send exactly ",
        bold(payment.quote.coin.text(payment.missing)),
        f" to the address in the next message, before {clock_time(payment.expires_at)} ({left}). "
        "I will tell you as soon as I see it.",
    )


def address(payment: Payment) -> Text:
    return text(code(payment.address or ""))


def link_line(uri: str) -> Text:
    """For wallet apps that take a payment link (no chat makes it clickable)."""
    return text("Or with this payment link: ", code(uri))


def qr_caption(payment: Payment) -> Text:
    return text(f"Scan to pay {payment.quote.coin.text(payment.missing)} with a wallet app.")


def progress(payment: Payment, facts: PayingFacts) -> Text:
    """Said again at each confirmation, so it is short."""
    counted = min(payment.confirmations, facts.confirmations)
    received = payment.quote.coin.text(payment.received)
    return text(f"I see your payment of {received}. {counted} of {facts.confirmations} confirmations.")


def confirmed(payment: Payment, facts: PayingFacts) -> Text:
    return lines(
        text(bold("Confirmed"), f", {facts.confirmations} of {facts.confirmations}."), transactions(payment, facts)
    )


def transactions(payment: Payment, facts: PayingFacts) -> Text:
    parts = []
    for tx_hash in payment.tx_hashes:
        url = facts.transaction_link(tx_hash)
        parts.append(text("Transaction ", link(url, short_hash(tx_hash)) if url else code(tx_hash)))
    return lines(*parts)


def issuing() -> str:
    return "Paid. I am booking your seats now; the tickets follow."


def still_issuing() -> str:
    return (
        "Your trip is paid and I am booking the seats. The tickets come here as soon as the airline has confirmed. "
        "Meanwhile you can tell me about another trip."
    )


PAID_ALREADY = "That trip is paid, so it cannot be dropped here."


def overpaid(payment: Payment) -> str:
    rest = payment.quote.coin.text(payment.confirmed - payment.due)
    return f"You sent {rest} more than was due. It is recorded as yours, with payment {payment.id}."


def underpaid(payment: Payment) -> Text:
    return text(
        f"I received {_part(payment)}. Please send the remaining ",
        bold(payment.quote.coin.text(payment.missing)),
        f" to the same address before {clock_time(payment.expires_at)}.",
    )


def received_part(payment: Payment) -> str:
    return f"I received {_part(payment)}."


def _part(payment: Payment) -> str:
    """``0.60 of 1.00 CLAYER``."""
    coin = payment.quote.coin
    return f"{coin.text(payment.received).removesuffix(f' {coin.symbol}')} of {coin.text(payment.due)}"


def taken_back() -> str:
    return (
        "The network took back the block with your payment, so I am counting again. "
        "You do not need to do anything; I will tell you when it is confirmed."
    )


def expired(payment: Payment) -> Text:
    if payment.received:
        return text(
            f"The time to pay is up. I received {_part(payment)}; it is kept safe and recorded as yours, with payment "
            f"{payment.id}. Please do not send more to that address."
        )
    return text(
        "The time to pay is up, and nothing had arrived. Please do not send anything to that address any more. "
        "Would you like a new one?"
    )


def late(payment: Payment, facts: PayingFacts, before: State) -> Text:
    """``before``: how the payment had ended."""
    amount = payment.quote.coin.text(payment.confirmed)
    parts = len(payment.tx_hashes) > 1  # the first of them may have come in time
    what = f"I have {amount} from you; the last of it arrived" if parts else f"Your payment of {amount} arrived"
    when = {
        State.EXPIRED: "after the time was up, so the fare may have changed",
        State.CANCELLED: "after the payment was cancelled",
    }.get(before, "after the payment was closed")
    return lines(
        f"{what} {when}. "
        f"I have kept it safe: it is recorded as yours, with payment {payment.id}, and a person will look at it.",
        transactions(payment, facts),
    )


def reversed_payment() -> str:
    return (
        "The network took back your payment after it had been confirmed. A person is looking at it, and you will hear "
        "from us here. Tickets that you have already stay as they are for now."
    )


def confirmed_again() -> str:
    return "The network has confirmed your payment again."


def failed(failed_one: Method, methods: tuple[Method, ...]) -> str:
    others = tuple(method for method in methods if method is not failed_one)
    instead = _work(others) if others else "You can try again here whenever you like."
    return (
        f"Paying {PAYING[failed_one]} is not possible right now: the network does not answer. "
        f"Nothing was charged, and your trip is kept. {instead}"
    )


def _work(methods: tuple[Method, ...]) -> str:
    """``Card and On-chain work.``"""
    return f"{listing([METHOD_NAMES[method] for method in methods])} {'works' if len(methods) == 1 else 'work'}."


def cancelled() -> str:
    return "Payment cancelled. Please do not send anything to that address any more."


CLOSED = "This payment is closed: please do not send anything to its address any more."


def time_up(payment: Payment) -> str:
    part = f"I received {_part(payment)}. " if payment.received else ""
    return f"{part}The time to pay is up. Please do not send anything more; I am checking what has arrived until then."


def cannot_cancel(payment: Payment | None) -> str:
    if payment is not None and not payment.is_waiting:
        return ""
    if payment is not None and payment.state is State.UNDERPAID:
        return "Part of your payment has come, so I keep it open. Whatever has come stays recorded as yours."
    return "Your payment is already on its way, so I will see it through first."


ASK_CANCEL = "Cancel this payment? If you have sent something already, please keep it open: I am watching for it."
KEPT_OPEN = "It stays open."


def status(payment: Payment, facts: PayingFacts, now: datetime) -> Text:
    """Where the payment stands. What it asks for, it asks for only while it may be sent."""
    if payment.state is State.REVERSED:
        return text(reversed_payment())
    if payment.is_paid:
        return text(still_issuing())
    if not payment.is_waiting:
        return text(CLOSED)
    if payment.opened_at is None:
        return text(preparing())
    if payment.state is State.PROCESSING or not payment.missing:
        return progress(payment, facts)
    if not is_asked(payment, now):
        return text(time_up(payment))
    if payment.received:
        return underpaid(payment)
    left = plain_length(payment.expires_at - now)
    return text(
        "I have not seen your payment yet. Please send exactly ",
        bold(payment.quote.coin.text(payment.due)),
        f" on {facts.network}, before {clock_time(payment.expires_at)} ({left}).",
    )
