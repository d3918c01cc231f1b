"""JSON-RPC as nodes speak it: envelopes, and the few fields of blocks, receipts and traces that are used.

Quantities stay hex strings until they are needed; unknown fields are skipped, which is most of the speed. None of these
values can be part of a cycle (gc=False), so that the thousands of a back-fill do not keep the garbage collector busy.
"""

from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class Problem(msgspec.Struct, gc=False):
    code: int
    message: str = ""


class Answer(msgspec.Struct, gc=False):
    """One element of an answer; ``result`` is decoded later, by the type the question asked for."""

    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Problem | None = None


class Result(msgspec.Struct, Generic[T], gc=False):
    """One element of an answer to questions that all ask for the same type; an error does not fit in."""

    id: int
    result: T


class Notice(msgspec.Struct):
    """A subscription's message; the answer to the subscription itself has no params."""

    params: "NoticeParams | None" = None
    error: Problem | None = None


class NoticeParams(msgspec.Struct):
    result: "Header"


class Header(msgspec.Struct, rename="camel", gc=False):
    """A block with the hashes of its transactions, or as announced by a subscription (then without any)."""

    number: str
    hash: str
    parent_hash: str
    timestamp: str
    transactions: list[str] = []

    @property
    def height(self) -> int:
        return int(self.number, 16)

    @property
    def mined_at(self) -> datetime:
        return _instant(self.timestamp)


class Transfer(msgspec.Struct, rename="camel", gc=False):
    """A transaction, as far as it moves coins."""

    hash: str
    sender: str = msgspec.field(name="from")
    value: str
    to: str | None = None
    block_hash: str | None = None


class Block(msgspec.Struct, rename="camel", gc=False):
    """A block with its transactions."""

    number: str
    hash: str
    parent_hash: str
    timestamp: str
    transactions: list[Transfer]

    @property
    def mined_at(self) -> datetime:
        return _instant(self.timestamp)


class Receipt(msgspec.Struct, rename="camel", gc=False):
    transaction_hash: str
    block_hash: str
    block_number: str
    gas_used: str
    status: str = "0x0"
    effective_gas_price: str = "0x0"

    @property
    def succeeded(self) -> bool:
        return int(self.status, 16) == 1

    @property
    def fee(self) -> int:
        """What the sender paid for gas, in wei."""
        return int(self.gas_used, 16) * int(self.effective_gas_price, 16)


class TraceAction(msgspec.Struct, rename="camel", gc=False):
    """Of a call, a creation, a selfdestruct or a reward: each has some of these."""

    sender: str | None = msgspec.field(name="from", default=None)
    to: str | None = None
    value: str | None = None
    call_type: str | None = None
    address: str | None = None  # selfdestruct: who dissolves
    refund_address: str | None = None
    balance: str | None = None
    author: str | None = None  # reward


class TraceResult(msgspec.Struct, gc=False):
    address: str | None = None  # creation: the new contract


class Trace(msgspec.Struct, rename="camel", gc=False):
    """One element of trace_block."""

    type: str
    action: TraceAction
    trace_address: tuple[int, ...]  # mostly empty, and the empty tuple costs nothing
    block_hash: str | None = None
    transaction_hash: str | None = None
    result: TraceResult | None = None
    error: str | None = None


class CallFrame(msgspec.Struct):
    """One call of a callTracer tree."""

    type: str
    sender: str = msgspec.field(name="from")
    to: str | None = None
    value: str | None = None
    error: str | None = None
    calls: list["CallFrame"] = []


class TracedTransaction(msgspec.Struct, rename="camel"):
    """One element of debug_traceBlockByHash."""

    result: CallFrame | None = None
    tx_hash: str | None = None


def _instant(timestamp: str) -> datetime:
    return datetime.fromtimestamp(int(timestamp, 16), UTC)


def quantity(text: str) -> int:
    return int(text, 16)


def block_number(number: int) -> str:
    return hex(number)


def at_hash(block_hash: str) -> dict[str, Any]:
    """A block named by hash (EIP-1898), refused when it is not canonical."""
    return {"blockHash": block_hash, "requireCanonical": True}
