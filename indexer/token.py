"""An ERC-20 token in the place of the native coin: its Transfer logs are the movements, its balances the authority.

A log says what was sent; some tokens keep a part of it. So where a block's logs name a watched address, its balances
before and after the block are read too, and a deposit is what arrived.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from Crypto.Hash import keccak

from indexer.deposits import Credit, Movements, Spend, Watched
from indexer.model import BlockRef
from indexer.rpc import BlockGone, Call, CallRefused, Node
from indexer.sweep import balance_call, place_of
from indexer.wire import Header, block_number, quantity

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"  # Transfer(address,address,uint256)
_DECIMALS = "0x313ce567"
_FEW = 50  # addresses that are named in the question; above that, all transfers of the token are asked for


class Log(msgspec.Struct, rename="camel", gc=False):
    """An event, as far as transfers go."""

    address: str
    topics: list[str]
    data: str
    block_hash: str | None
    transaction_hash: str | None
    log_index: str
    removed: bool = False


class LoggedHeader(Header, rename="camel", gc=False, kw_only=True):
    """A header with its filter of logs."""

    logs_bloom: str | None = None


@dataclass(frozen=True, slots=True)
class TokenBlock:
    """A block's header and what it did to the watched addresses' tokens."""

    header: Header
    movements: Movements


async def token_decimals(node: Node, token: str) -> int | None:
    """What the token says; None where no ERC-20 with decimals and balances answers. Raises NodeFailed."""
    calls = [
        Call("eth_call", [{"to": token, "data": _DECIMALS}, "latest"], str),
        balance_call(node, token, "latest"),
    ]
    answers = await node.attempt(calls, once=True)
    if not all(isinstance(answer, str) and len(answer) == 66 for answer in answers):
        return None
    return quantity(answers[0])


async def read_token_blocks(node: Node, numbers: Sequence[int], watched: Watched) -> list[TokenBlock]:
    """The canonical blocks with those numbers, ascending. Raises NodeFailed, CallRefused, BlockGone.

    Every log is held against its block's hash. A block whose filter says that it may hold a transfer, and for which no
    log came, is asked for once more by its hash: an index of logs may lag behind the blocks.
    """
    if not numbers:
        return []
    assert node.token is not None
    headers, logs = await _headers_and_logs(node, numbers, watched)
    by_block: dict[str, list[Log]] = {header.hash: [] for header in headers}
    for log in logs:
        if log.removed or log.block_hash not in by_block:
            raise BlockGone("a log is of a block that is gone")
        by_block[log.block_hash].append(log)
    filters = _Filter(node.token, watched)
    doubtful = [header for header in headers if not by_block[header.hash] and filters.may_match(header.logs_bloom)]
    by_block |= await _logs_by_hash(node, doubtful, watched)
    found = [
        TokenBlock(header, _movements(header, sorted(by_block[header.hash], key=_index), watched)) for header in headers
    ]
    return await _as_arrived(node, found)


async def _headers_and_logs(
    node: Node, numbers: Sequence[int], watched: Watched
) -> tuple[list[LoggedHeader], list[Log]]:
    first, last = block_number(numbers[0]), block_number(numbers[-1])
    questions = _log_calls(node, {"fromBlock": first, "toBlock": last}, watched)
    calls = [Call("eth_getBlockByNumber", [block_number(n), False], LoggedHeader | None) for n in numbers]
    answers = await node.batch([*questions, *calls])
    headers = answers[len(questions) :]
    for number, header in zip(numbers, headers, strict=True):
        if header is None or header.height != number:
            raise BlockGone(f"the node does not give block {number}")
    return headers, _unique(log for logs in answers[: len(questions)] for log in logs)


async def _logs_by_hash(node: Node, headers: Sequence[Header], watched: Watched) -> dict[str, list[Log]]:
    calls = [
        (header.hash, call) for header in headers for call in _log_calls(node, {"blockHash": header.hash}, watched)
    ]
    found: dict[str, list[Log]] = defaultdict(list)
    for (block_hash, _), logs in zip(calls, await node.batch([call for _, call in calls]), strict=True):
        if any(log.block_hash != block_hash for log in logs):
            raise BlockGone("a log is of another block than was asked for")
        found[block_hash] += logs
    return {block_hash: _unique(logs) for block_hash, logs in found.items()}


def _log_calls(node: Node, where: Mapping[str, Any], watched: Watched) -> list[Call]:
    """One question for all transfers of the token; for few addresses two: those to them and those from them."""
    topics: list[list[Any]] = [[TRANSFER]]
    if not watched:
        return []
    if len(watched) <= _FEW:
        named = [f"0x{address[2:]:0>64}" for address in watched]
        topics = [[TRANSFER, None, named], [TRANSFER, named]]
    return [Call("eth_getLogs", [{**where, "address": node.token, "topics": wanted}], list[Log]) for wanted in topics]


def _unique(logs: Iterable[Log]) -> list[Log]:
    """A transfer between two watched addresses answers both questions."""
    return list({(log.block_hash, log.log_index): log for log in logs}.values())


def _index(log: Log) -> int:
    return quantity(log.log_index)


def _movements(header: Header, logs: Sequence[Log], watched: Watched) -> Movements:
    block, mined_at = BlockRef(header.height, header.hash), header.mined_at
    credits, spends = [], []
    for log in logs:
        if len(log.topics) != 3 or log.topics[0] != TRANSFER or len(log.data) != 66 or log.transaction_hash is None:
            continue  # no transfer as ERC-20 has it; if it moved anything, the balance tells
        sender, recipient = ("0x" + topic[-40:].lower() for topic in log.topics[1:])
        amount, path = quantity(log.data), f"log.{_index(log)}"
        if amount == 0 or sender == recipient:
            continue
        if address := watched.get(recipient):
            credits.append(Credit(address, amount, block, mined_at, log.transaction_hash, path, sender))
        if address := watched.get(sender):
            spends.append(Spend(address, amount, block, log.transaction_hash, path))
    return Movements(tuple(credits), tuple(spends))


async def _as_arrived(node: Node, blocks: Sequence[TokenBlock]) -> list[TokenBlock]:
    """The same blocks with what really came and went, where the node still knows the balances around them."""
    touched = [(place, address) for place, block in enumerate(blocks) for address in _addresses(block.movements)]
    calls = [
        balance_call(node, address, place_of(node, at))
        for place, address in touched
        for at in _around(blocks[place].header)
    ]
    answers = await node.attempt(calls)
    changes: dict[int, dict[str, int]] = defaultdict(dict)
    for (place, address), before, after in zip(touched, answers[0::2], answers[1::2], strict=True):
        if isinstance(before, str) and isinstance(after, str):
            changes[place][address] = quantity(after) - quantity(before)
        elif isinstance(after, CallRefused) and isinstance(before, str):
            raise BlockGone(f"block {blocks[place].header.height} is gone")
    return [
        replace(block, movements=_corrected(block.movements, changes[place])) if place in changes else block
        for place, block in enumerate(blocks)
    ]


def _around(header: Header) -> tuple[BlockRef, BlockRef]:
    return BlockRef(header.height - 1, header.parent_hash), BlockRef(header.height, header.hash)


def _addresses(movements: Movements) -> list[str]:
    moved = [credit.address for credit in movements.credits] + [spend.address for spend in movements.spends]
    return list(dict.fromkeys(moved))


def _corrected(movements: Movements, changes: Mapping[str, int]) -> Movements:
    """``changes``: by how much each address's balance rose. What is missing is taken from its last deposits.

    What they do not hold was kept by the token when the address paid, and adds to what it spent. More than the logs
    say is left to the look at the confirmed block.
    """
    credits, spends = list(movements.credits), list(movements.spends)
    for address, change in changes.items():
        came = sum(credit.amount for credit in credits if credit.address == address)
        went = sum(spend.amount for spend in spends if spend.address == address)
        missing = came - went - change
        for place in range(len(credits) - 1, -1, -1):
            if credits[place].address == address and missing > 0:
                kept = min(missing, credits[place].amount)
                credits[place] = replace(credits[place], amount=credits[place].amount - kept)
                missing -= kept
        last = max((place for place, spend in enumerate(spends) if spend.address == address), default=None)
        if missing > 0 and last is not None:
            spends[last] = replace(spends[last], amount=spends[last].amount + missing)
    return Movements(tuple(credit for credit in credits if credit.amount), tuple(spends))


class _Filter:
    """Whether a block's bloom filter allows for a transfer that concerns us (yellow paper, 4.3.1)."""

    def __init__(self, token: str, watched: Watched) -> None:
        self._all = _bits(bytes.fromhex(token[2:])) | _bits(bytes.fromhex(TRANSFER[2:]))
        few = watched if len(watched) <= _FEW else ()
        self._any = [_bits(bytes(12) + bytes.fromhex(address[2:])) for address in few]
        self._is_blind = not watched

    def may_match(self, bloom: str | None) -> bool:
        if self._is_blind:
            return False
        if bloom is None:
            return True
        bits = quantity(bloom)
        if bits & self._all != self._all:
            return False
        return not self._any or any(bits & wanted == wanted for wanted in self._any)


def _bits(item: bytes) -> int:
    digest = keccak.new(digest_bits=256, data=item).digest()
    return sum({1 << (int.from_bytes(digest[i : i + 2], "big") & 2047) for i in (0, 2, 4)})
