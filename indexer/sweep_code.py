"""The few bytes of EVM code that look at many addresses in one call and return those that are not as expected.

Its input is a row of 32-byte records, each a 20-byte address and the 12 low bytes of the expected value. Its output is
a word of zeros and then, for every address whose value differs, the record and the value, 64 bytes together. The
leading zeros matter where the code is contract-creation code: what that returns must not begin with 0xEF (EIP-3541).

Only instructions of Constantinople: no PUSH0 (EIP-3855), which older chains do not know. Stacks are written with the
top on the left.
"""

_FIRST, _ZEROS = 0x80, 0x60  # where findings begin in memory, and the word of zeros before them; below is scratch

# Each takes the address from the stack and leaves the value: addr → value. They may use memory below _ZEROS.
BALANCE = "31"  # BALANCE

# The next contract address of an account tells its nonce: the address is overridden with ACCOUNT, which creates a
# contract and returns where it would stand. Only its 12 low bytes are compared. 0: it failed.
NONCE = (
    "6000 6000 52"  # memory[0] = 0
    " 6020 6000 6000 6000 6000"  # return size and place, input size and place, value
    " 85 5a f1"  # CALL addr with all gas
    " 50 50 6000 51"  # value = memory[0]
    " 6bffffffffffffffffffffffff 16"  # the low 96 bits
)
ACCOUNT = "0x" + "6000 6000 6000 f0 6000 52 6020 6000 f3".replace(" ", "")  # return CREATE(0, 0, 0)


def token_balance(token: str) -> str:
    """ERC-20 balanceOf. All bits set: the token did not answer."""
    return (
        "6000 19 6040 52"  # memory[40] = all bits
        " 6370a08231 60e0 1b 6000 52"  # memory[0] = selector of balanceOf(address)
        " 80 6004 52"  # memory[4] = addr
        f" 6020 6040 6024 6000 73{token[2:].lower()} 5a fa"  # STATICCALL token
        " 50 50 6040 51"  # value = memory[40]
    )


def sweep_code(measure: str, *, creation: bool) -> str:
    """The code for one way of measuring, as hex. Records follow it (``creation``) or are the call's input."""
    source = (
        "6020 81 6000 39 6000 51"  # in → rec in: CODECOPY(0, in, 32), memory[0]
        if creation
        else "80 35"  # in → rec in: CALLDATALOAD
    )
    size = "38" if creation else "36"  # CODESIZE, CALLDATASIZE
    pieces = [
        f"60{_FIRST:02x} 61:end" if creation else f"60{_FIRST:02x} 6000",  # in out
        "next: 5b",
        f"{size} 81 10 61:record 57",  # in < size: record
        f"50 60{_ZEROS:02x} 90 03 60{_ZEROS:02x} f3",  # return memory[_ZEROS:out]
        "record: 5b",
        source,  # rec in out
        f"80 6060 1c {measure}",  # value rec in out
        "81 6bffffffffffffffffffffffff 16",  # want value rec in out
        "81 14 61:skip 57",  # want = value: skip;  value rec in out
        "81 84 52",  # memory[out] = rec
        "80 84 6020 01 52",  # memory[out+32] = value
        "92 6040 01 92",  # value rec in out+64
        "skip: 5b 50 50 6020 01",  # in+32 out
        "61:next 56",
        "end:",
    ]
    return _assemble(" ".join(pieces).split())


def _assemble(words: list[str]) -> str:
    """Hex words; ``name:`` is a place, ``61:name`` pushes it as two bytes."""
    places, size = dict[str, int](), 0
    for word in words:
        if word.endswith(":"):
            places[word[:-1]] = size
        else:
            size += 3 if ":" in word else len(word) // 2
    code = [_resolved(word, places) for word in words if not word.endswith(":")]
    return "0x" + "".join(code)


def _resolved(word: str, places: dict[str, int]) -> str:
    opcode, colon, name = word.partition(":")
    return f"{opcode}{places[name]:04x}" if colon else word
