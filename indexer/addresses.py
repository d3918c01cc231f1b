"""Deposit addresses from the account's public key alone (BIP-32, BIP-39, BIP-44).

The account ``m/44'/60'/0'`` has an extended public key; whoever holds it can derive every address ``0/i`` below it and
spend nothing. The mnemonic is needed once, to make that key, and is never echoed.
"""

import re
from typing import Any

from bip_utils import (
    Base58ChecksumError,
    Bip32KeyError,
    Bip32PublicKey,
    Bip32Slip10Secp256k1,
    Bip39MnemonicValidator,
    Bip39SeedGenerator,
    EthAddrEncoder,
    Kekkak256,
)

from runtime.errors import LayoverError

DEFAULT_PATH = "m/44'/60'/0'/0/{i}"
MAX_INDEX = 2**31 - 1  # above it derivation is hardened, which a public key cannot do
_ACCOUNT_DEPTH = 3
_ADDRESS = re.compile(r"(0[xX])?[0-9a-fA-F]{40}")


class BadMnemonic(LayoverError):
    def __init__(self) -> None:
        super().__init__(
            "CIRCLE_LAYER_MERCHANT_MNEMONIC is not a BIP-39 mnemonic. "
            "It takes 12, 15, 18, 21 or 24 English words whose checksum agrees; check for a missing or misspelt word."
        )


class BadAccountKey(LayoverError):
    def __init__(self, why: str) -> None:
        super().__init__(
            f"CIRCLE_LAYER_MERCHANT_XPUB {why}. It takes the extended public key of the account m/44'/60'/0' "
            "(starts with xpub); `layover xpub` derives it from the mnemonic."
        )


class BadDerivationPath(LayoverError):
    def __init__(self, path: str) -> None:
        super().__init__(
            f"CIRCLE_LAYER_DERIVATION_PATH {path!r} cannot be used. "
            f"It takes three hardened levels, then plain ones that end in the index, as {DEFAULT_PATH} does."
        )


class IndexOutOfRange(LayoverError):
    def __init__(self, index: int) -> None:
        super().__init__(f"no deposit address has the index {index}; it must be between 0 and {MAX_INDEX}")


class BadAddress(LayoverError, ValueError):
    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"{address!r} is not an address: {why}")


def checksum_address(address: str) -> str:
    """The address in EIP-55 form. Raises BadAddress (a ValueError) if it is none, or its mixed case does not check."""
    if not _ADDRESS.fullmatch(address):
        raise BadAddress(address, "it takes 0x and 40 hex digits")
    checked = _eip55(address[-40:].lower())
    digits = address[-40:]
    if digits not in (checked[-40:], digits.lower(), digits.upper()):
        raise BadAddress(address, "it is mistyped, its capitals do not agree with its digits (EIP-55)")
    return checked


def _eip55(digits: str) -> str:
    """Capitals where the hash of the lower-case digits has an 8 or more (eth_utils does the same, and takes 8 MB)."""
    hashed = Kekkak256.QuickDigest(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if nibble >= "8" else digit for digit, nibble in zip(digits, hashed[:40], strict=True)
    )


def account_xpub(mnemonic: str, path: str = DEFAULT_PATH) -> str:
    """The account's extended public key. Raises BadMnemonic, BadDerivationPath."""
    account, _ = _split(path)
    words = " ".join(mnemonic.split())
    if not Bip39MnemonicValidator().IsValid(words):
        raise BadMnemonic
    node = Bip32Slip10Secp256k1.FromSeed(Bip39SeedGenerator(words).Generate()).DerivePath(account)
    xpub: str = node.PublicKey().ToExtended()
    return xpub


class AddressBook:
    """The deposit addresses of one account."""

    def __init__(self, xpub: str, path: str = DEFAULT_PATH) -> None:
        """Raises BadAccountKey, BadDerivationPath."""
        _, below = _split(path)
        self._branch = _account(xpub)
        for level in below:
            self._branch = self._branch.ChildKey(level)

    def address(self, index: int) -> str:
        """The EIP-55 address of that index. Raises IndexOutOfRange."""
        if not 0 <= index <= MAX_INDEX:
            raise IndexOutOfRange(index)
        key: Bip32PublicKey = self._branch.ChildKey(index).PublicKey()
        address: str = EthAddrEncoder.EncodeKey(key.KeyObject())
        return address


def _account(xpub: str) -> Any:
    if xpub.strip().startswith(("xprv", "tprv")):
        raise BadAccountKey("holds a private key, which must not be given to the daemon")
    try:
        node = Bip32Slip10Secp256k1.FromExtendedKey(xpub.strip())
    except (ValueError, Base58ChecksumError, Bip32KeyError):  # their messages may quote the key
        raise BadAccountKey("is not an extended public key (cut or mistyped: its form or checksum is wrong)") from None
    if node.Depth().ToInt() != _ACCOUNT_DEPTH:
        raise BadAccountKey(f"is a key of depth {node.Depth().ToInt()}, not of an account (depth {_ACCOUNT_DEPTH})")
    return node


def _split(path: str) -> tuple[str, list[int]]:
    """``m/44'/60'/0'/0/{i}`` → the account's path and the plain levels between it and the index."""
    found = re.fullmatch(r"(m/\d+'/\d+'/\d+')((?:/\d+)*)/\{i\}", path)
    if found is None:
        raise BadDerivationPath(path)
    levels = [int(level) for level in found[2].split("/") if level]
    if any(level > MAX_INDEX for level in levels):
        raise BadDerivationPath(path)
    return found[1], levels
