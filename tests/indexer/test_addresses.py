"""Deposit addresses from the account's public key are those a wallet derives from the mnemonic."""

import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.addresses import (
    AddressBook,
    BadAccountKey,
    BadAddress,
    BadDerivationPath,
    BadMnemonic,
    IndexOutOfRange,
    account_xpub,
    checksum_address,
)
from runtime.errors import LayoverError
from sandbox.anvil import DEV_MNEMONIC

Account.enable_unaudited_hdwallet_features()
BOOK = AddressBook(account_xpub(DEV_MNEMONIC))


@pytest.mark.parametrize("index", [0, 1, 9, 28, 1000, 2**31 - 1])
def test_equal_to_a_wallet_of_the_mnemonic(index: int) -> None:
    assert BOOK.address(index) == Account.from_mnemonic(DEV_MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}").address


@pytest.mark.parametrize("path", ["m/44'/60'/7'/0/{i}", "m/44'/60'/0'/{i}", "m/44'/60'/0'/1/5/{i}"])
def test_other_derivation_paths(path: str) -> None:
    book = AddressBook(account_xpub(DEV_MNEMONIC, path), path)
    assert book.address(28) == Account.from_mnemonic(DEV_MNEMONIC, account_path=path.format(i=28)).address


def test_the_first_is_anvils_first_account() -> None:
    assert BOOK.address(0) == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@pytest.mark.parametrize("path", ["m/44'/60'/0'/0/0", "m/44/60/0/0/{i}", "m/44'/60'/0'/0'/{i}", "0/{i}", ""])
def test_a_path_that_a_public_key_cannot_follow_is_refused(path: str) -> None:
    with pytest.raises(BadDerivationPath, match="CIRCLE_LAYER_DERIVATION_PATH"):
        account_xpub(DEV_MNEMONIC, path)


@pytest.mark.parametrize("index", [-1, 2**31])
def test_an_index_out_of_range_is_refused(index: int) -> None:
    with pytest.raises(IndexOutOfRange):
        BOOK.address(index)


SECRET_WORDS = "legal winner thank year wave sausage worth useful legal winner thank thank"


@pytest.mark.parametrize(
    "mnemonic", [SECRET_WORDS, SECRET_WORDS[:20], "", "sausage " * 12, SECRET_WORDS.upper() + " x"]
)
def test_a_wrong_mnemonic_is_refused_and_never_shown(mnemonic: str) -> None:
    with pytest.raises(BadMnemonic) as refused:
        account_xpub(mnemonic)
    _is_silent_about(refused.value, "sausage", "winner")


PRIVATE = (  # BIP-32, test vector 1, chain m
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
)
ROOT = "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"


@pytest.mark.parametrize(
    "xpub",
    [
        PRIVATE,
        ROOT,
        account_xpub(DEV_MNEMONIC)[:-1],
        account_xpub(DEV_MNEMONIC).swapcase(),
        "",
        "xpub",
        SECRET_WORDS,
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    ],
)
def test_a_wrong_account_key_is_refused_and_never_shown(xpub: str) -> None:
    with pytest.raises(BadAccountKey, match="CIRCLE_LAYER_MERCHANT_XPUB") as refused:
        AddressBook(xpub)
    _is_silent_about(refused.value, *([xpub[4:20], xpub[-16:]] if xpub[4:] else []))


@settings(max_examples=200)
@given(st.text(max_size=130) | st.text("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", min_size=100))
def test_no_text_breaks_it(text: str) -> None:
    with pytest.raises(BadAccountKey):
        AddressBook(text)
    with pytest.raises(BadMnemonic):
        account_xpub(text)


@pytest.mark.parametrize(
    "address", ["", "0x", "f39Fd6e51aad88F6F4ce6aB8827279cffFb92266x", "0xF39Fd6e51aad88F6F4ce6aB8827279cffFb92266"]
)
def test_a_mistyped_address_is_refused(address: str) -> None:
    with pytest.raises(BadAddress):
        checksum_address(address)


def test_an_address_in_one_case_is_taken() -> None:
    assert checksum_address("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266") == BOOK.address(0)


def _is_silent_about(error: LayoverError, *secrets: str) -> None:
    chain: BaseException | None = error
    while chain is not None:
        assert not any(secret in str(chain) for secret in secrets)
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)


@given(st.binary(min_size=20, max_size=20))
def test_the_capitals_are_those_of_eth_utils(address: bytes) -> None:
    assert checksum_address(f"0x{address.hex()}") == to_checksum_address(address)
