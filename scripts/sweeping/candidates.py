"""Whose money lies at a deposit address: the merchant's, which may be swept, or a traveller's, which stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.booking import BookingState
from payments.money import Coin
from payments.payment import Payment, State
from payments.store import AddressedPayment


class Why(StrEnum):
    """Why an address is left alone."""

    UNFINISHED = "the payment is not finished"
    NOT_TICKETED = "the ticket has not been issued yet"
    REFUSED = "the airline refused the booking: the money is the traveller's"
    TWICE = "the booking was paid by another payment: this one's money is the traveller's"
    ENDED = "the payment had ended before the money came: it is the traveller's"
    REVERSED = "the chain took the payment back"
    SPENT = "it has sent something before that is not in this journal"
    SHORT = "it holds less than was paid: look into it"
    SMALL = "it is not worth the fee (see --min)"
    NO_GAS = "it has no native coin to pay the fee with"
    OTHER_ACCOUNT = "it belongs to another account than the mnemonic's"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address that was paid as it should be. ``units`` is what was due: all above it is the traveller's."""

    address: str
    account: str
    index: int
    payment_id: str
    coin: Coin
    units: int


@dataclass(frozen=True, slots=True)
class LeftAlone:
    address: str
    payment_id: str
    why: Why
    detail: str = ""


def sort_out(
    found: Sequence[AddressedPayment], bookings: Mapping[str, tuple[BookingState, str | None]]
) -> tuple[list[Candidate], list[LeftAlone]]:
    """What may be swept, and what is left alone and why. Addresses to which nothing ever came are in neither."""
    candidates: list[Candidate] = []
    left: list[LeftAlone] = []
    for each in found:
        payment = each.payment
        state, paid_by = bookings.get(payment.booking_id, (None, None))
        why = _why_not(payment, state, paid_by)
        if why is not None:
            left.append(LeftAlone(each.address, payment.id, why))
        elif payment.is_paid:
            coin = payment.quote.coin
            candidates.append(Candidate(each.address, each.account, each.index, payment.id, coin, payment.due))
    return candidates, left


def _why_not(payment: Payment, booking: BookingState | None, paid_by: str | None) -> Why | None:
    if payment.is_waiting:
        return Why.UNFINISHED
    if payment.state is State.REVERSED:
        return Why.REVERSED
    if not payment.is_paid:
        return Why.ENDED if payment.received and payment.state is not State.REFUNDED else None
    if booking is BookingState.REFUSED and paid_by == payment.id:
        return Why.REFUSED
    if booking is BookingState.TICKETED:
        return None if paid_by == payment.id else Why.TWICE
    return Why.NOT_TICKETED
