"""Balances of many addresses by one call: a few bytes of EVM code return those that are not what was expected.

The code stands nowhere on the chain: ``eth_call`` is told to pretend that a throw-away address holds it (a state
override). Its input is a row of 32-byte records, each a 20-byte address and the 12 low bytes of the expected balance.
Its output holds, for every address whose balance differs, the record and the balance, 64 bytes together.

A node that refuses overrides is asked for each balance, in batches.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from indexer.model import BlockRef
from indexer.rpc import Call, CallRefused, Node
from indexer.wire import at_hash, block_number, quantity

# No PUSH0: chains before Shanghai do not know it. Stacks are written with the top on the left.
#
#   00  6000      PUSH1 0        out                       where the next finding goes in memory
#   02  6000      PUSH1 0        in out                    where the next record is in the input
#   04  5b        JUMPDEST       in out                    next:
#   05  36        CALLDATASIZE   size in out
#   06  81        DUP2           in size in out
#   07  10        LT             in<size in out
#   08  600f57    PUSH1 0f JUMPI in out                    if in < size goto record
#   0b  50        POP            out
#   0c  6000      PUSH1 0        0 out
#   0e  f3        RETURN                                   return memory[0:out]
#   0f  5b        JUMPDEST       in out                    record:
#   10  80        DUP1           in in out
#   11  35        CALLDATALOAD   rec in out
#   12  80        DUP1           rec rec in out
#   13  6060      PUSH1 96       96 rec rec in out
#   15  1c        SHR            addr rec in out
#   16  31        BALANCE        bal rec in out
#   17  81        DUP2           rec bal rec in out
#   18  6bff…ff   PUSH12 2^96-1  mask rec bal rec in out
#   25  16        AND            want bal rec in out
#   26  81        DUP2           bal want bal rec in out
#   27  14        EQ             same bal rec in out
#   28  603957    PUSH1 39 JUMPI bal rec in out            if same goto skip
#   2b  81        DUP2           rec bal rec in out
#   2c  84        DUP5           out rec bal rec in out
#   2d  52        MSTORE         bal rec in out            memory[out] = record
#   2e  80        DUP1           bal bal rec in out
#   2f  84        DUP5           out bal bal rec in out
#   30  6020      PUSH1 32
#   32  01        ADD            out+32 bal bal rec in out
#   33  52        MSTORE         bal rec in out            memory[out+32] = balance
#   34  92        SWAP3          out rec in bal
#   35  6040      PUSH1 64
#   37  01        ADD            out+64 rec in bal
#   38  92        SWAP3          bal rec in out+64
#   39  5b        JUMPDEST       bal rec in out            skip:
#   3a  5050      POP POP        in out
#   3c  6020      PUSH1 32
#   3e  01        ADD            in+32 out
#   3f  600456    PUSH1 04 JUMP                            goto next
CODE = (
    "0x6000 6000 5b 36 81 10 600f57 50 6000 f3"
    " 5b 80 35 80 6060 1c 31 81 6bffffffffffffffffffffffff 16 81 14 603957"
    " 81 84 52 80 84 6020 01 52 92 6040 01 92"
    " 5b 5050 6020 01 600456"
).replace(" ", "")
HOST = "0x5ca1ab1e00000000000000000000000000005ca1"  # the throw-away address
RECORDS = 6_000  # in one call: below 30 million gas (9,804 fit) and below a 16.7 million cap
_LOW = (1 << 96) - 1
NO_BALANCE = _LOW  # more than there is: an address expected to hold it is always reported
_OUT_OF_GAS = ("gas", "out of", "exceed", "limit")


def encode(expected: Mapping[str, int]) -> str:
    """The input: records of address and expected balance, as hex."""
    return "0x" + "".join([f"{address[2:]}{balance & _LOW:024x}" for address, balance in expected.items()])


def decode(output: str, addresses: Sequence[str]) -> dict[str, int]:
    """The findings: address (as it was given) → balance in wei."""
    by_key = {address[2:].lower(): address for address in addresses}
    text = output[2:]
    if len(text) % 128:
        raise ValueError("the sweep's output is cut off")
    return {by_key[text[i : i + 40].lower()]: int(text[i + 64 : i + 128], 16) for i in range(0, len(text), 128)}


async def differences(node: Node, block: BlockRef, expected: Mapping[str, int]) -> dict[str, int]:
    """Which addresses hold something else than expected after that block, and what (wei).

    Raises NodeFailed, CallRefused (also when the block is gone).
    """
    if not expected:
        return {}
    if node.abilities.override:
        found = await _sweep(node, block, expected)
    else:
        found = await balances(node, block, list(expected))
    return {address: balance for address, balance in found.items() if balance != expected[address]}


async def _sweep(node: Node, block: BlockRef, expected: Mapping[str, int]) -> dict[str, int]:
    """One call for up to RECORDS addresses; halved where the node's gas does not reach."""
    addresses = list(expected)
    if len(addresses) > RECORDS:
        return await _halves(node, block, expected, RECORDS)
    question = sweep_call(block, expected)
    [output] = await node.attempt([question])
    if not isinstance(output, CallRefused):
        return decode(output, addresses)
    if len(addresses) > 1 and any(word in output.message.lower() for word in _OUT_OF_GAS):
        return await _halves(node, block, expected, (len(addresses) + 1) // 2)
    raise output


async def _halves(node: Node, block: BlockRef, expected: Mapping[str, int], size: int) -> dict[str, int]:
    records = list(expected.items())
    found: dict[str, int] = {}
    for start in range(0, len(records), size):
        found |= await _sweep(node, block, dict(records[start : start + size]))
    return found


def sweep_call(block: BlockRef, expected: Mapping[str, int]) -> Call:
    call = {"to": HOST, "data": encode(expected), "gas": hex(min(30_000_000, 200_000 + 3_000 * len(expected)))}
    return Call("eth_call", [call, at_hash(block.hash), {HOST: {"code": CODE}}], str)


async def balances(node: Node, block: BlockRef, addresses: Sequence[str]) -> dict[str, int]:
    """What each address held after that block, in wei, asked one by one in batches. Raises NodeFailed, CallRefused."""
    place = place_of(node, block)
    answers = await node.batch([Call("eth_getBalance", [address, place], str) for address in addresses])
    return {address: quantity(answer) for address, answer in zip(addresses, answers, strict=True)}


def place_of(node: Node, block: BlockRef) -> Any:
    """The block's name in a call: its hash where the node takes one, else its number (whose hash is checked apart)."""
    return at_hash(block.hash) if node.abilities.by_hash else block_number(block.number)
