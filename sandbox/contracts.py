"""Tiny contracts that pay an address in every way a chain knows, from a development node's accounts.

Each ``pay_…`` function deploys what it needs (in a transaction and block of its own), pays, and returns the hash of the
paying transaction as soon as the node has taken it; ``receipt`` waits until it is in a block.
"""

import asyncio
from typing import Any

from sandbox.node import Node

GAS = 5_000_000  # stated on every transaction: the node's estimate refuses what will revert

# Opcodes of the Ethereum Virtual Machine. Source: the yellow paper, appendix H; SELFBALANCE is EIP-1884.
_OPCODES = {
    "STOP": 0x00,
    "ADD": 0x01,
    "MUL": 0x02,
    "SUB": 0x03,
    "DIV": 0x04,
    "LT": 0x10,
    "EQ": 0x14,
    "AND": 0x16,
    "SHR": 0x1C,
    "ADDRESS": 0x30,
    "CALLER": 0x33,
    "CALLVALUE": 0x34,
    "CALLDATALOAD": 0x35,
    "CALLDATASIZE": 0x36,
    "CALLDATACOPY": 0x37,
    "CODECOPY": 0x39,
    "SELFBALANCE": 0x47,
    "POP": 0x50,
    "MSTORE": 0x52,
    "SLOAD": 0x54,
    "SSTORE": 0x55,
    "JUMPI": 0x57,
    "GAS": 0x5A,
    "DUP1": 0x80,
    "LOG3": 0xA3,
    "CALL": 0xF1,
    "RETURN": 0xF3,
    "DELEGATECALL": 0xF4,
    "REVERT": 0xFD,
    "SELFDESTRUCT": 0xFF,
}
_JUMPDEST, _PUSH1 = 0x5B, 0x60


def assemble(program: str) -> bytes:
    """Bytecode from words.

    A word is an opcode, a number to push (decimal, or hex as 0x…), ``$n`` for the n-th 32-byte word of the call data
    (counted from 0), ``:name`` for a place to jump to, or ``@name`` to push that place.
    """
    code, places, jumps = bytearray(), dict[str, int](), dict[int, str]()
    for word in program.split():
        if word in _OPCODES:
            code.append(_OPCODES[word])
        elif word.startswith("$"):
            code += _push(32 * int(word[1:])) + bytes([_OPCODES["CALLDATALOAD"]])
        elif word.startswith(":"):
            places[word[1:]] = len(code)
            code.append(_JUMPDEST)
        elif word.startswith("@"):
            jumps[len(code) + 1] = word[1:]
            code += _push(0)
        else:
            code += _push(int(word, 0))
    for position, name in jumps.items():
        code[position] = places[name]
    return bytes(code)


def _push(number: int) -> bytes:
    size = max(1, (number.bit_length() + 7) // 8)
    return bytes([_PUSH1 + size - 1]) + number.to_bytes(size, "big")


# CALL takes, from the top of the stack: gas, address, value, input's place and size, output's place and size.
_OR_REVERT = "@done JUMPI 0 0 REVERT :done STOP"
_INPUT = "32 CALLDATASIZE SUB 32 0 CALLDATACOPY"  # the call data after its first word, to memory

# Sends what it is paid on to $0.
FORWARDER = assemble(f"0 0 0 0 CALLVALUE $0 GAS CALL {_OR_REVERT}")
# Sends $1 wei to $0 and the rest to $2.
SPLITTER = assemble(f"0 0 0 0 $1 $0 GAS CALL 0 0 0 0 SELFBALANCE $2 GAS CALL AND {_OR_REVERT}")
# Sends what it is paid on to $0, then takes it all back.
REVERTING_FORWARDER = assemble("0 0 0 0 CALLVALUE $0 GAS CALL POP 0 0 REVERT")
# Calls the contract $0 with what it is paid and the rest of the call data; goes on whatever comes of it.
INDIFFERENT_CALLER = assemble(f"{_INPUT} 0 0 32 CALLDATASIZE SUB 0 CALLVALUE $0 GAS CALL STOP")
# Runs the code of the contract $0 as its own, with the rest of the call data.
DELEGATOR = assemble(f"{_INPUT} 0 0 32 CALLDATASIZE SUB 0 $0 GAS DELEGATECALL {_OR_REVERT}")
# Calls itself $1 times, then sends what it is paid on to $0.
DEEP_FORWARDER = assemble(
    "$1 @deeper JUMPI 0 0 0 0 CALLVALUE $0 GAS CALL @done JUMPI 0 0 REVERT "
    f":deeper $0 0 MSTORE 1 $1 SUB 32 MSTORE 0 0 64 0 CALLVALUE ADDRESS GAS CALL {_OR_REVERT}"
)

# Calls the contract $0 twice with the rest of the call data, and then takes back what that did.
_CALL_ON = "0 0 32 CALLDATASIZE SUB 0 0 $0 GAS CALL POP"
TWICE_CALLER = assemble(f"{_INPUT} {_CALL_ON} {_CALL_ON} STOP")
REVERTING_CALLER = assemble(f"{_INPUT} {_CALL_ON} 0 0 REVERT")

# An ERC-20 token: balanceOf, decimals and transfer; all of it belongs to who made it. ``kept``: the percentage of a
# transfer that disappears, although its log tells of the whole.
_TRANSFER = 0xDDF252AD1BE2C89B69C2B068FC378DAA952BA7F163C4A11628F55A4DF523B3EF
_TOKEN = """
    0 CALLDATALOAD 224 SHR
    DUP1 0x70a08231 EQ @balance JUMPI
    DUP1 0x313ce567 EQ @decimals JUMPI
    0xa9059cbb EQ @transfer JUMPI
    0 0 REVERT
    :balance 4 CALLDATALOAD SLOAD 0 MSTORE 32 0 RETURN
    :decimals {decimals} 0 MSTORE 32 0 RETURN
    :transfer
    36 CALLDATALOAD CALLER SLOAD LT @fail JUMPI
    36 CALLDATALOAD CALLER SLOAD SUB CALLER SSTORE
    100 {arrives} 36 CALLDATALOAD MUL DIV 4 CALLDATALOAD SLOAD ADD 4 CALLDATALOAD SSTORE
    36 CALLDATALOAD 0 MSTORE 4 CALLDATALOAD CALLER {event} 32 0 LOG3
    1 0 MSTORE 32 0 RETURN
    :fail 0 0 REVERT
"""


async def deploy_token(node: Node, *, decimals: int = 6, supply: int = 10**15, kept: int = 0) -> str:
    """A token that belongs to the first dev account; its address. ``kept``: per cent of what is sent."""
    contract = assemble(_TOKEN.format(decimals=decimals, arrives=100 - kept, event=_TRANSFER))
    mint = assemble(f"{supply} CALLER SSTORE")
    size, place = len(contract), len(mint) + 12
    copy = assemble(f"{size} {place} 0 CODECOPY {size} 0 RETURN")
    sent = await transact(node, None, "0x" + (mint + copy + contract).hex())
    address: str = (await receipt(node, sent))["contractAddress"]
    return address


def transfer_data(recipient: str, amount: int) -> str:
    """The call of ERC-20's transfer(address,uint256)."""
    return "0xa9059cbb" + call_data(recipient, amount)[2:]


async def pay_token(node: Node, token: str, recipient: str, amount: int, *, sender: str | None = None) -> str:
    return await transact(node, token, transfer_data(recipient, amount), sender=sender)


async def pay_token_by_contract(node: Node, token: str, recipient: str, amount: int, *, caller: bytes) -> str:
    """By ``TWICE_CALLER`` or ``REVERTING_CALLER``, which gets what it needs first."""
    contract = await deploy(node, caller)
    await receipt(node, await pay_token(node, token, contract, 3 * amount))
    return await transact(node, contract, call_data(token) + transfer_data(recipient, amount)[2:])


def creation_code(contract: bytes) -> bytes:
    """What a transaction without recipient carries to put ``contract`` (at most 255 bytes) on the chain."""
    size = len(contract)
    return assemble(f"{size} 12 0 CODECOPY {size} 0 RETURN") + contract


def call_data(*words: str | int) -> str:
    """32-byte words, as hex: addresses (0x…) and numbers."""
    numbers = (int(word, 16) if isinstance(word, str) else word for word in words)
    return "0x" + b"".join(number.to_bytes(32, "big") for number in numbers).hex()


async def receipt(node: Node, transaction: str) -> dict[str, Any]:
    """The transaction's receipt, waited for until it is in a block. ``status`` is "0x1" for success."""
    while True:
        found: dict[str, Any] | None = await node.rpc("eth_getTransactionReceipt", transaction)
        if found is not None:
            return found
        await asyncio.sleep(0.02)


async def deploy(node: Node, contract: bytes) -> str:
    """Put a contract on the chain; its address, when it is in a block."""
    sent = await transact(node, None, "0x" + creation_code(contract).hex())
    address: str = (await receipt(node, sent))["contractAddress"]
    return address


async def transact(node: Node, to: str | None, data: str, wei: int = 0, *, sender: str | None = None) -> str:
    """A transaction from a dev account (the first by default), mined even where it reverts. Its hash."""
    fields = {"from": sender or (await node.accounts())[0], "data": data, "value": hex(wei), "gas": hex(GAS)}
    sent: str = await node.rpc("eth_sendTransaction", fields if to is None else fields | {"to": to})
    return sent


async def pay_by_forwarder(node: Node, recipient: str, wei: int) -> str:
    return await transact(node, await deploy(node, FORWARDER), call_data(recipient), wei)


async def pay_twice(node: Node, recipient: str, first: int, second: int, *, other: str | None = None) -> str:
    """``first`` wei to ``recipient`` and ``second`` to ``other`` (or again to it), inside one transaction."""
    splitter = await deploy(node, SPLITTER)
    return await transact(node, splitter, call_data(recipient, first, other or recipient), first + second)


async def pay_and_revert(node: Node, recipient: str, wei: int) -> str:
    """The transaction fails as a whole: nothing is paid."""
    return await transact(node, await deploy(node, REVERTING_FORWARDER), call_data(recipient), wei)


async def pay_and_revert_inside(node: Node, recipient: str, wei: int) -> str:
    """The transaction succeeds, but the call inside it that paid is taken back: nothing is paid."""
    caller, forwarder = await deploy(node, INDIFFERENT_CALLER), await deploy(node, REVERTING_FORWARDER)
    return await transact(node, caller, call_data(forwarder, recipient), wei)


async def pay_by_delegatecall(node: Node, recipient: str, wei: int) -> str:
    delegator, forwarder = await deploy(node, DELEGATOR), await deploy(node, FORWARDER)
    return await transact(node, delegator, call_data(forwarder, recipient), wei)


async def pay_from_depth(node: Node, recipient: str, wei: int, *, depth: int) -> str:
    """Paid by the innermost of ``depth`` + 1 nested calls."""
    return await transact(node, await deploy(node, DEEP_FORWARDER), call_data(recipient, depth), wei)


async def pay_by_constructor(node: Node, recipient: str, wei: int) -> str:
    """Paid while a contract is being created."""
    program = assemble(f"0 0 0 0 CALLVALUE {recipient} GAS CALL {_OR_REVERT}")
    return await transact(node, None, "0x" + program.hex(), wei)


async def pay_by_selfdestruct(node: Node, recipient: str, wei: int) -> str:
    """Paid by a contract that dissolves itself: no call is made to the recipient."""
    return await transact(node, None, "0x" + assemble(f"{recipient} SELFDESTRUCT").hex(), wei)
