"""What the chain's deposits make of a payment: a judgement over values, the same for the same deposits."""

from collections.abc import Sequence
from typing import Any

from indexer.model import Deposit
from payments.evidence import Amounts, Finding
from payments.payment import ENDED_UNPAID, PAID, Payment, State


def weigh(payment: Payment, deposits: Sequence[Deposit]) -> Finding:
    """What the credits that stand on the canonical chain make of the payment. Same input, same answer."""
    amounts = Amounts(
        received=sum(deposit.amount for deposit in deposits),
        confirmed=sum(deposit.amount for deposit in deposits if deposit.confirmed),
        confirmations=_confirmations(deposits, payment.due),
        tx_hashes=tuple(dict.fromkeys(deposit.tx_hash for deposit in deposits if deposit.tx_hash)),
    )
    state, reason = _judge(payment, amounts)
    evidence = {"deposits": [_deposit_json(deposit) for deposit in deposits]}
    return Finding(state, reason, amounts, evidence)


def _judge(payment: Payment, amounts: Amounts) -> tuple[State, str]:
    if payment.state is State.REFUNDED:
        return payment.state, "the payment was refunded"
    if payment.state in ENDED_UNPAID:
        return _judge_ended(payment, amounts)
    if amounts.confirmed >= payment.due:
        paid = State.OVERPAID if amounts.confirmed > payment.due else State.COMPLETE
        return paid, "the amount due is confirmed on chain"
    if payment.state in PAID or payment.state is State.REVERSED:
        return State.REVERSED, "the chain took back what had been confirmed"
    if amounts.received == 0:
        return State.PENDING, "the chain took back what had been seen" if payment.received else "nothing has come"
    if amounts.received > amounts.confirmed:
        return State.PROCESSING, "seen on chain, not yet confirmed"
    return State.UNDERPAID, "confirmed on chain, but less than is due"


def _judge_ended(payment: Payment, amounts: Amounts) -> tuple[State, str]:
    if amounts.confirmed > payment.confirmed:
        return State.LATE, "money was confirmed after the payment had ended"
    if payment.state is State.LATE and amounts.received == 0:
        return State.EXPIRED, "the chain took the late money back"
    return payment.state, "the payment has ended"


def _confirmations(deposits: Sequence[Deposit], due: int) -> int:
    """Of the youngest deposit that is needed to reach what is due; of the youngest at all while that is not reached."""
    total, fewest = 0, None
    for deposit in sorted(deposits, key=lambda each: -each.confirmations):
        fewest = deposit.confirmations
        total += deposit.amount
        if total >= due:
            break
    return fewest or 0


def _deposit_json(deposit: Deposit) -> dict[str, Any]:
    return {
        "id": deposit.id,
        "amount": str(deposit.amount),
        "block": deposit.block.number,
        "hash": deposit.block.hash,
        "tx": deposit.tx_hash,
        "confirmed": deposit.confirmed,
    }
