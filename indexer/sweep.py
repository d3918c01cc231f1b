"""Balances of many addresses by few calls: a little EVM code returns those that are not what was expected.

The code (indexer.sweep_code) stands nowhere on the chain: ``eth_call`` is told to pretend that a throw-away address
holds it (a state override); where a node refuses that, it goes as contract-creation code, whose size EIP-3860 limits;
where that fails too, each balance is asked for, in batches. What is asked at once follows the gas that the node lets a
call spend, and is halved where that was too much.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from Crypto.Hash import keccak

from indexer.abilities import Sweep
from indexer.model import BlockRef
from indexer.rpc import REQUEST_TOO_LARGE, Call, CallRefused, Node
from indexer.sweep_code import ACCOUNT, BALANCE, NONCE, sweep_code, token_balance
from indexer.wire import at_hash, block_number, quantity

HOST = "0x5ca1ab1e00000000000000000000000000005ca1"  # the throw-away address
_LOW = (1 << 96) - 1
NO_BALANCE = _LOW  # more than there is: an address expected to hold it is always reported
_NO_ANSWER = (1 << 256) - 1  # of a token
_FAILED = {BALANCE: -1, NONCE: 0}  # the value that says so
_TOO_MUCH = ("gas", "out of", "exceed", "limit", "size", "large", "timeout", "timed out")

_BASE_GAS = 250_000  # the call itself and the memory for findings
_CREATION_GAS = 1_000_000  # 200 for each byte that creation code returns: 70 findings; more are halved
_BALANCE_GAS = 3_400  # a record: BALANCE of an untouched account 2,600, its calldata 512, the loop
_TOKEN_GAS = 12_000  # an untouched storage slot or two, and the token's own code
_NONCE_GAS = 39_000  # CREATE alone 32,000
_MOST_GAS = 400_000_000
_CREATION_BYTES = 49_152  # EIP-3860
_RECORD = 64  # hex digits


def encode(expected: Mapping[str, int]) -> str:
    """Records of address and expected value, as hex digits."""
    return "".join([f"{address[2:]}{value & _LOW:024x}" for address, value in expected.items()])


def decode(output: str, addresses: Sequence[str]) -> dict[str, int]:
    """The findings: address (as it was given) → value. Raises ValueError for what is no output of the code."""
    text = output[66:]
    if len(output) < 66 or int(output[2:66], 16) or len(text) % 128:
        raise ValueError("the sweep's output is cut off")
    if not text:
        return {}
    by_key = {address[2:].lower(): address for address in addresses}
    try:
        return {by_key[text[i : i + 40].lower()]: int(text[i + 64 : i + 128], 16) for i in range(0, len(text), 128)}
    except KeyError as unknown:
        raise ValueError(f"the sweep's output tells of {unknown}, which was not asked for") from None


async def differences(node: Node, block: BlockRef, expected: Mapping[str, int]) -> dict[str, int]:
    """Which addresses hold something else than expected after that block, and what (smallest units).

    Raises NodeFailed, CallRefused (also when the block is gone; where blocks are not named by their hash, the caller
    checks that afterwards).
    """
    if not expected:
        return {}
    if node.abilities.sweep is Sweep.BATCHES:
        found = await balances(node, block, list(expected))
    else:
        found = await _sweep(node, place_of(node, block), expected, _measure(node), None)
    return {address: balance for address, balance in found.items() if balance != expected[address]}


async def moved_nonces(node: Node, block: BlockRef, created: Mapping[str, int]) -> set[str]:
    """Which accounts have another nonce after that block than expected; needs state overrides.

    ``created``: per address the 12 low bytes of the address a contract would get that it creates with the expected
    nonce. Raises NodeFailed, CallRefused.
    """
    if not created:
        return set()
    return set(await _sweep(node, place_of(node, block), created, NONCE, ACCOUNT))


def created_by(address: str, nonce: int) -> int:
    """The 12 low bytes of the address that a contract gets which the account creates with that nonce."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    encoded = number if nonce and nonce < 0x80 else bytes([0x80 + len(number)]) + number  # RLP
    body = b"\x94" + bytes.fromhex(address[2:]) + encoded
    return int.from_bytes(keccak.new(digest_bits=256, data=bytes([0xC0 + len(body)]) + body).digest()[-12:], "big")


def capacity(node: Node) -> int:
    """How many addresses one request can sweep."""
    if node.abilities.sweep is Sweep.BATCHES:
        return node.batch_size
    a_call = _records(node, _measure(node))
    calls = min(node.batch_size, max(1, node.body_size // (a_call * _RECORD + 1_000)))
    return calls * a_call


async def balances(node: Node, block: BlockRef, addresses: Sequence[str]) -> dict[str, int]:
    """What each address held after that block, asked one by one in batches. Raises NodeFailed, CallRefused."""
    place = place_of(node, block)
    answers = await node.batch([balance_call(node, address, place) for address in addresses])
    return {address: quantity(answer) for address, answer in zip(addresses, answers, strict=True)}


def balance_call(node: Node, address: str, place: Any, *, native: bool = False) -> Call:
    """One balance, of the token that this node is asked about, or of the native coin. The answer is a hex quantity."""
    if node.token is None or native:
        return Call("eth_getBalance", [address, place], str)
    data = f"0x70a08231{address[2:].lower():0>64}"
    return Call("eth_call", [{"to": node.token, "data": data}, place], str)


def place_of(node: Node, block: BlockRef) -> Any:
    """The block's name in a call: its hash where the node takes one, else its number (whose hash is checked apart)."""
    return at_hash(block.hash) if node.abilities.by_hash else block_number(block.number)


def sweep_call(
    way: Sweep, place: Any, expected: Mapping[str, int], measure: str, gas: int, account: str | None
) -> Call:
    """``account``: code that every address is given for the call."""
    records = encode(expected)
    creation = way is Sweep.CREATION
    code = _code(measure, creation)
    if creation:
        return Call("eth_call", [{"data": code + records, "gas": hex(gas)}, place], str, size=len(records) + 1_000)
    overrides = {HOST: {"code": code}}
    if account is not None:
        overrides |= {address: {"code": account} for address in expected}
    size = len(records) + 1_000 + (len(overrides) - 1) * 100
    return Call("eth_call", [{"to": HOST, "data": "0x" + records, "gas": hex(gas)}, place, overrides], str, size=size)


async def _sweep(
    node: Node, place: Any, expected: Mapping[str, int], measure: str, account: str | None
) -> dict[str, int]:
    """In as many calls as it takes, sent together; those that were too much are halved."""
    found: dict[str, int] = {}
    todo = _split(expected, _records(node, measure))
    while todo:
        calls = [
            sweep_call(node.abilities.sweep, place, part, measure, _gas(node, measure, len(part)), account)
            for part in todo
        ]
        halves: list[dict[str, int]] = []
        for part, answer in zip(todo, await node.attempt(calls), strict=True):
            values = _values(node, part, measure, answer)
            if values is None:
                halves += _split(part, (len(part) + 1) // 2)
            else:
                found |= values
        todo = halves
    return found


def _values(node: Node, part: Mapping[str, int], measure: str, answer: Any) -> dict[str, int] | None:
    """The findings of one call; None where it was too much for the node. Raises CallRefused."""
    if not isinstance(answer, CallRefused):
        try:
            values = decode(answer, list(part))
        except ValueError as error:
            answer = CallRefused(node.name, "eth_call", 0, str(error))
        else:
            if _FAILED.get(measure, _NO_ANSWER) not in values.values():
                return values
            answer = CallRefused(node.name, "eth_call", 0, "an inner call failed: out of gas?")
    too_much = answer.code == REQUEST_TOO_LARGE or any(word in answer.message.lower() for word in _TOO_MUCH)
    if too_much and len(part) > 1:
        return None
    raise answer


def _records(node: Node, measure: str) -> int:
    """How many go into one call, by gas and by size."""
    gas = min(node.abilities.gas or 30_000_000, _MOST_GAS)
    size = node.body_size - 2_000
    per_record = _RECORD if measure != NONCE else _RECORD + 100
    if node.abilities.sweep is Sweep.CREATION:
        size = min(size, 2 * _CREATION_BYTES - len(_code(measure, True)) + 2)
        gas -= _CREATION_GAS
    return max(1, min((gas - _BASE_GAS) // _gas_a_record(measure), size // per_record))


def _gas(node: Node, measure: str, records: int) -> int:
    needed = _BASE_GAS + 2 * _gas_a_record(measure) * records
    if node.abilities.sweep is Sweep.CREATION:
        needed += _CREATION_GAS
    return min(needed, node.abilities.gas or 30_000_000)


def _gas_a_record(measure: str) -> int:
    return {BALANCE: _BALANCE_GAS, NONCE: _NONCE_GAS}.get(measure, _TOKEN_GAS)


def _measure(node: Node) -> str:
    return BALANCE if node.token is None else token_balance(node.token)


@lru_cache
def _code(measure: str, creation: bool) -> str:
    return sweep_code(measure, creation=creation)


def _split(records: Mapping[str, int], size: int) -> list[dict[str, int]]:
    if len(records) <= size:
        return [dict(records)]
    items = list(records.items())
    return [dict(items[start : start + size]) for start in range(0, len(items), size)]
