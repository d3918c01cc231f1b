"""Deposit addresses from the account's extended public key, held against eth_account's from the mnemonic."""

import time

from eth_account import Account

from bench.report import Figure
from indexer.addresses import AddressBook, account_xpub
from sandbox.anvil import DEV_MNEMONIC

_COMPARED = (0, 1, 2, 17, 4711, 2**31 - 1)


class WrongAddress(Exception):
    """Derived otherwise than eth_account does: the benchmark is void, and so is everything else."""


def derive(count: int, sample: int) -> list[Figure]:
    book = AddressBook(account_xpub(DEV_MNEMONIC))
    begin = time.perf_counter()
    for index in range(count):
        book.address(index)
    rate = count / (time.perf_counter() - begin)
    Account.enable_unaudited_hdwallet_features()
    indexes = [*_COMPARED, *range(100, 100 + sample)]
    begin = time.perf_counter()
    theirs = [Account.from_mnemonic(DEV_MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}").address for index in indexes]
    usual = len(indexes) / (time.perf_counter() - begin)
    for index, address in zip(indexes, theirs, strict=True):
        if book.address(index) != address:
            raise WrongAddress(f"index {index}: {book.address(index)}, not {address}")
    note = f"equal at {len(indexes)} indexes, the last one included"
    work = "addresses derived from the xpub"
    return [Figure(work, rate, "a second", goal=10_000, at_least=True, beside=usual, note=note)]
