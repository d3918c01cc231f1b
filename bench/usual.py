"""The usual ways, with web3.py as its documentation shows it: what the indexer is measured beside."""

import time
from collections.abc import Collection, Sequence

from web3 import HTTPProvider, Web3


def read_blocks(url: str, numbers: Sequence[int], watched: Collection[str]) -> tuple[float, int]:
    """Every block with its transactions, one by one; (seconds, transfers to watched addresses)."""
    web3 = Web3(HTTPProvider(url))
    found = 0
    begin = time.perf_counter()
    for number in numbers:
        block = web3.eth.get_block(number, full_transactions=True)
        for transaction in block["transactions"]:
            assert not isinstance(transaction, bytes)
            if transaction.get("to") in watched and web3.eth.get_transaction_receipt(transaction["hash"])["status"]:
                found += 1
    return time.perf_counter() - begin, found


def ask_balances(url: str, addresses: Sequence[str]) -> float:
    """Each address's balance, one by one; seconds."""
    web3 = Web3(HTTPProvider(url))
    begin = time.perf_counter()
    for address in addresses:
        web3.eth.get_balance(Web3.to_checksum_address(address))
    return time.perf_counter() - begin
