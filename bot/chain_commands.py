"""``layover chain``: an operator's questions to the chain, answered beside a running daemon or without one."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa

from bot.chain import chain_config
from bot.schema import check_current
from bot.settings import Settings
from indexer.config import ChainConfig
from indexer.inspect import Inspector
from indexer.model import TransactionState
from indexer.nodes import NodePool
from payments import store
from payments.money import Coin
from runtime.clock import SystemClock
from runtime.database import Database, async_url
from runtime.errors import LayoverError
from runtime.http import client_session


class NoNode(LayoverError):
    def __init__(self) -> None:
        super().__init__("no node is configured: set CIRCLE_LAYER_RPC_URL")


class NoDatabase(LayoverError):
    """The database cannot be read; the message says which and why."""


class WrongArgument(LayoverError):
    """The command cannot be carried out as it was given."""


async def balance(settings: Settings, address: str, confirmations: int | None) -> str:
    """What an address holds, deep enough in the chain. Raises BadAddress, ChainUnavailable, WrongArgument."""
    if confirmations is not None and confirmations < 0:
        raise WrongArgument(f"--confirmations must be 0 or more, not {confirmations}")
    async with _inspector(settings) as inspector:
        found = await inspector.check_balance(address, confirmations)
    lines = [
        f"{found.address} holds {coin_of(settings).text(found.balance)} "
        f"after block {found.block.number:,} ({_count(found.confirmations, 'confirmation')})"
    ]
    if (words := await _payment(settings, found.address)) is not None:
        lines.append(words)
    if found.explorer_url is not None:
        lines.append(found.explorer_url)
    return "\n".join(lines)


async def transaction(settings: Settings, tx_hash: str) -> str:
    """What became of a transaction. Raises BadTransactionHash, ChainUnavailable."""
    async with _inspector(settings) as inspector:
        found = await inspector.get_transaction_status(tx_hash)
    depth = _count(found.confirmations, "confirmation")
    where = "" if found.block is None else f" in block {found.block.number:,} ({found.block.hash}), {depth}"
    words = {
        TransactionState.UNKNOWN: "unknown: the node has never heard of it, or has forgotten it",
        TransactionState.PENDING: "pending: in the node's pool, in no block yet",
        TransactionState.MINED: f"mined{where} of {settings.circle_layer_min_confirmations} needed",
        TransactionState.CONFIRMED: f"confirmed{where}",
        TransactionState.REVERTED: f"reverted{where}: it moved no money",
    }
    lines = [f"{found.tx_hash} is {words[found.state]}"]
    if found.explorer_url is not None:
        lines.append(found.explorer_url)
    return "\n".join(lines)


def config_of(settings: Settings) -> ChainConfig:
    """Raises NoNode."""
    if not settings.rpc_urls:
        raise NoNode
    return chain_config(settings)


def coin_of(settings: Settings) -> Coin:
    return Coin(settings.circle_layer_token_symbol, settings.circle_layer_token_decimals)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The daemon's database, which must be there and of this release. Raises NoDatabase, SchemaBehind.

    Works beside a running daemon, on SQLite too: reading waits for nobody.
    """
    url = settings.database_url
    path = async_url(url).database if url.startswith("sqlite") else None
    if path is not None and not os.path.isfile(path):  # noqa: ASYNC240 - it would be made, empty
        raise NoDatabase(f"there is no database {path}: give DATABASE_URL as the daemon has it")
    try:
        await asyncio.to_thread(check_current, url)
        async with Database.open(url) as database:
            yield database
    except (sa.exc.DBAPIError, OSError) as error:
        reason = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        raise NoDatabase(f"the database does not answer: {str(reason).strip().splitlines()[0]}") from None


@asynccontextmanager
async def _inspector(settings: Settings) -> AsyncIterator[Inspector]:
    config = config_of(settings)
    async with client_session() as session:
        yield Inspector(NodePool(config, session, SystemClock()), config)


async def _payment(settings: Settings, address: str) -> str | None:
    """The payment the address was given to. None where there is none, or no database to ask."""
    try:
        async with opened(settings) as database, database.snapshot() as connection:
            target = await store.target_at_address(connection, address)
    except LayoverError:
        return None
    if target is None:
        return None
    coin = coin_of(settings)
    return (
        f"It belongs to payment {target.payment_id}, which is {target.state}: "
        f"{coin.text(target.received)} of {coin.text(target.due)} came"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
