"""What a block did to the watched addresses: pure functions from what a node said to credits and spends.

A credit counts only where the coins really moved: a transaction whose receipt says that it succeeded, or a call none of
whose ancestors failed. A spend counts value and gas, so that an address's balance is always
baseline + credits − spends.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from indexer.model import BlockRef
from indexer.wire import Block, CallFrame, Receipt, Trace, TracedTransaction, Transfer, quantity

Watched = Mapping[str, str]  # lower-case address → its EIP-55 form

RESIDUAL = "residual"  # the path of a credit that only the balance tells of
_MOVING_CALLS = {"call"}  # delegatecall and staticcall move nothing, callcode pays the caller itself
_MOVING_FRAMES = {"CALL", "CREATE", "CREATE2", "SELFDESTRUCT"}


@dataclass(frozen=True, slots=True)
class Credit:
    """Coins that came to a watched address. Its identity: block, transaction, path and address."""

    address: str
    amount: int  # wei
    block: BlockRef
    mined_at: datetime
    tx_hash: str | None
    path: str  # the call inside the transaction, as "0.2.1"; "" for the transaction itself
    sender: str | None  # who paid: for a payment by a contract, that contract


@dataclass(frozen=True, slots=True)
class Spend:
    """Coins that a watched address sent, or paid for gas."""

    address: str
    amount: int  # wei
    block: BlockRef
    tx_hash: str
    path: str  # as of a credit; "gas" for the fee


@dataclass(frozen=True, slots=True)
class Movements:
    """All that a block, or a run of blocks, did to the watched addresses."""

    credits: tuple[Credit, ...] = ()
    spends: tuple[Spend, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """Coins that went from one address to another, wherever in a block."""

    sender: str
    recipient: str
    amount: int
    tx_hash: str
    path: str


def involved(block: Block, watched: Watched) -> list[Transfer]:
    """The transactions of which a receipt is needed: those to or from a watched address."""
    return [tx for tx in block.transactions if (tx.to in watched and tx.value != "0x0") or tx.sender in watched]


def by_transactions(
    block: BlockRef,
    mined_at: datetime,
    transactions: Iterable[Transfer],
    receipts: Mapping[str, Receipt],
    watched: Watched,
) -> Movements:
    """What the block's transactions themselves moved: those that are ``involved``, each with its receipt.

    Calls inside them are not seen: the balance tells of those.
    """
    moves, fees = [], []
    for tx in transactions:
        receipt = receipts[tx.hash]
        fees.append((tx.sender, tx.hash, receipt.fee))
        if receipt.succeeded and tx.to is not None:
            moves.append(Move(tx.sender, tx.to, quantity(tx.value), tx.hash, ""))
        elif receipt.succeeded:  # a creation: the contract that got the value is nobody we watch
            moves.append(Move(tx.sender, "", quantity(tx.value), tx.hash, ""))
    return _movements(block, mined_at, moves, fees, watched)


def senders(traces: Sequence[Trace], watched: Watched) -> list[str]:
    """The transactions a watched address sent: their receipts tell what the gas cost."""
    return [
        trace.transaction_hash
        for trace in traces
        if trace.transaction_hash and not trace.trace_address and trace.action.sender in watched
    ]


def by_traces(
    block: BlockRef, mined_at: datetime, traces: Sequence[Trace], receipts: Mapping[str, Receipt], watched: Watched
) -> Movements:
    """What all calls of the block moved, at any depth. ``receipts``: of the transactions in ``senders``."""
    fees = [
        (trace.action.sender, receipt.transaction_hash, receipt.fee)
        for trace in traces
        if not trace.trace_address and (receipt := receipts.get(trace.transaction_hash or "")) is not None
    ]
    return _movements(block, mined_at, _moves_of_traces(traces, watched), fees, watched)


def by_call_frames(
    block: BlockRef, mined_at: datetime, transactions: Iterable[TracedTransaction], watched: Watched
) -> Movements:
    """As ``by_traces``, from callTracer's trees. The gas is left out."""
    moves = [
        move
        for transaction in transactions
        if transaction.result is not None and transaction.tx_hash is not None
        for move in _moves_of_frame(transaction.result, transaction.tx_hash, ())
    ]
    return _movements(block, mined_at, moves, [], watched)


def residual(address: str, amount: int, block: BlockRef, mined_at: datetime, earlier: int = 0) -> Credit:
    """What the balance gained and nothing explains: a block reward, a withdrawal, a call where no trace can be had.

    ``earlier``: how many such credits of the address the block has already.
    """
    path = f"{RESIDUAL}.{earlier}" if earlier else RESIDUAL
    return Credit(address, amount, block, mined_at, None, path, None)


def _moves_of_traces(traces: Sequence[Trace], watched: Watched) -> Iterator[Move]:
    """A trace below one that failed moved nothing, whatever it says itself."""
    failed = {(trace.transaction_hash, trace.trace_address) for trace in traces if trace.error is not None}
    for trace in traces:
        if trace.transaction_hash is None or not _concerns(trace, watched):  # of a reward the balance tells
            continue
        place = trace.trace_address
        if failed and any((trace.transaction_hash, place[:depth]) in failed for depth in range(len(place) + 1)):
            continue
        move = _move_of_trace(trace, trace.transaction_hash, _path(place))
        if move is not None:
            yield move


def _concerns(trace: Trace, watched: Watched) -> bool:
    """Whether a watched address is on either side. Most traces end here, so nothing is built before."""
    action = trace.action
    if action.to in watched or action.sender in watched:
        return True
    if trace.type == "call":
        return False
    created = trace.result.address if trace.result is not None else None
    return created in watched or action.refund_address in watched or action.address in watched


def _move_of_trace(trace: Trace, tx_hash: str, path: str) -> Move | None:
    action = trace.action
    if trace.type == "call":
        if action.call_type not in _MOVING_CALLS or action.value is None or action.to is None:
            return None
        return Move(action.sender or "", action.to, quantity(action.value), tx_hash, path)
    if trace.type == "create" and action.value is not None:
        created = trace.result.address if trace.result is not None else None
        return Move(action.sender or "", created or "", quantity(action.value), tx_hash, path)
    if trace.type in ("suicide", "selfdestruct") and action.balance is not None:
        return Move(action.address or "", action.refund_address or "", quantity(action.balance), tx_hash, path)
    return None


def _moves_of_frame(frame: CallFrame, tx_hash: str, place: tuple[int, ...]) -> Iterator[Move]:
    if frame.error is not None:
        return
    if frame.type in _MOVING_FRAMES and frame.value is not None:
        yield Move(frame.sender, frame.to or "", quantity(frame.value), tx_hash, _path(place))
    for index, inner in enumerate(frame.calls):
        yield from _moves_of_frame(inner, tx_hash, (*place, index))


def _movements(
    block: BlockRef,
    mined_at: datetime,
    moves: Iterable[Move],
    fees: Iterable[tuple[str | None, str, int]],
    watched: Watched,
) -> Movements:
    credits, spends = [], []
    for move in moves:
        if move.amount == 0 or move.sender == move.recipient:
            continue
        if recipient := watched.get(move.recipient):
            sender = move.sender or None
            credits.append(Credit(recipient, move.amount, block, mined_at, move.tx_hash, move.path, sender))
        if payer := watched.get(move.sender):
            spends.append(Spend(payer, move.amount, block, move.tx_hash, move.path))
    for address, tx_hash, fee in fees:
        if fee and (payer := watched.get(address or "")):
            spends.append(Spend(payer, fee, block, tx_hash, "gas"))
    return Movements(tuple(credits), tuple(spends))


def _path(place: tuple[int, ...]) -> str:
    return ".".join(map(str, place))
