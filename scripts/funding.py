"""Pays a deposit address on a local development node: the work behind ``scripts/fund_deposit.py``.

Where to pay comes from the daemon's database or from the command line; the money from an account that the node itself
signs for. Exit codes: 0 paid (and confirmed, with ``--wait``), 1 the node did not do it, 2 wrong input.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

import aiohttp
import sqlalchemy as sa
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import booking_store
from indexer.addresses import checksum_address
from payments import store
from payments.money import Coin
from payments.store import Target
from runtime.database import Database, UnsupportedDatabase, async_url
from runtime.errors import LayoverError
from sandbox.node import Node, NotANode, RpcError
from scripts.paying import NotPaid, Order, Say, WrongInput, pay, require_local, watch

CHECKOUT = Path(__file__).resolve().parent.parent
MAX_PARTS = 1000


class Surroundings(BaseSettings):
    """The daemon's own variables. A running sandbox writes them to ``.layover/sandbox.env``, which wins over .env."""

    model_config = SettingsConfigDict(
        env_file=(CHECKOUT / ".env", CHECKOUT / ".layover" / "sandbox.env"), env_ignore_empty=True, extra="ignore"
    )

    database_url: str = "sqlite:///layover.db"
    circle_layer_rpc_url: str = "http://127.0.0.1:8545"
    circle_layer_chain_id: int = 28525
    circle_layer_token_symbol: str = "CLAYER"
    circle_layer_token_decimals: int = 18
    circle_layer_token_address: str | None = None
    circle_layer_min_confirmations: int = 3

    @property
    def coin(self) -> Coin:
        return Coin(self.circle_layer_token_symbol, self.circle_layer_token_decimals)


def arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fund_deposit.py",
        description="Pays a deposit address on a local development node (Anvil), in the traveller's stead.",
        epilog="Database, node and chain are those of the running sandbox, or of the daemon's variables and .env.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--latest", action="store_true", help="the newest payment that waits for money")
    where.add_argument("--booking", metavar="REF", help="the latest payment of this booking (reference or id)")
    where.add_argument("--index", type=int, metavar="I", help="the payment whose address has this index")
    where.add_argument("--address", metavar="0x…", help="any address")
    parser.add_argument("--amount", metavar="COINS", help="for example 0.5; by default what is still due")
    parser.add_argument("--parts", type=int, default=1, metavar="N", help="in N transactions of about the same size")
    parser.add_argument("--via-contract", action="store_true", help="through a contract that forwards the money")
    parser.add_argument("--wait", action="store_true", help="show the confirmations as they come")
    parser.add_argument("--confirmations", type=int, metavar="N", help="how many --wait waits for")
    parser.add_argument("--timeout", type=float, default=300, metavar="S", help="seconds that --wait waits at most")
    parser.add_argument("--rpc-url", metavar="URL", help="the node")
    parser.add_argument("--database-url", metavar="URL", help="the daemon's database")
    parser.add_argument(
        "--yes-really-not-local", action="store_true", help="pay on a node that is not a local development node"
    )
    return parser.parse_args(given)


def main(given: Sequence[str]) -> int:
    options = arguments(given)
    try:
        asyncio.run(fund(options, _surroundings(options), say=_say))
    except WrongInput as problem:
        sys.stderr.write(f"fund_deposit: {problem}\n")
        return 2
    except LayoverError as problem:
        sys.stderr.write(f"fund_deposit: {problem}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def fund(options: argparse.Namespace, surroundings: Surroundings, *, say: Say) -> None:
    """Raises WrongInput, NotPaid."""
    amount = None if options.amount is None else parse_amount(options.amount, surroundings.coin)
    if not 1 <= options.parts <= MAX_PARTS:
        raise WrongInput(f"--parts must be between 1 and {MAX_PARTS}, not {options.parts}")
    wanted = surroundings.circle_layer_min_confirmations if options.confirmations is None else options.confirmations
    if wanted < 0 or options.timeout <= 0:
        raise WrongInput("--confirmations must not be negative, and --timeout must be more than 0")
    address, total = await _destination(options, surroundings, amount, say)
    order = Order(address, split(total, options.parts), options.via_contract)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
        node = Node(surroundings.circle_layer_rpc_url, http)
        try:
            await require_local(node, surroundings.circle_layer_chain_id, despite=options.yes_really_not_local)
            transactions = await pay(node, order, surroundings.coin, say=say)
            if options.wait:
                await watch(node, transactions, wanted, within=options.timeout, say=say)
        except (aiohttp.ClientError, NotANode, TimeoutError) as error:
            raise NotPaid(
                f"no node answers at {node.http_url} ({_first_line(error)}). Is the sandbox running?"
            ) from None
        except RpcError as error:
            raise NotPaid(f"the node refused: {error}") from None


def parse_amount(text: str, coin: Coin) -> int:
    """Wei of an amount in coins. Raises WrongInput."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise WrongInput(f"--amount {text!r} is not a number; write it like 0.5") from None
    if not amount.is_finite() or amount <= 0:
        raise WrongInput(f"--amount must be more than 0, not {text}")
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > coin.decimals:
        raise WrongInput(f"--amount {text} is too precise: {coin.symbol} has {coin.decimals} decimal places")
    if amount >= Decimal(10) ** 12:
        raise WrongInput(f"--amount {text} is more than a development node has")
    return coin.units(amount)


def split(total: int, parts: int) -> tuple[int, ...]:
    """Wei in ``parts`` sums that differ by one at most. Raises WrongInput where there is less than 1 wei for each."""
    if total < parts:
        raise WrongInput(f"{total} wei cannot be paid in {parts} parts")
    whole, rest = divmod(total, parts)
    return (whole + 1,) * rest + (whole,) * (parts - rest)


async def _destination(
    options: argparse.Namespace, surroundings: Surroundings, amount: int | None, say: Say
) -> tuple[str, int]:
    """The address, and how many wei: ``amount``, or what is still due. Raises WrongInput."""
    if surroundings.circle_layer_token_address:
        raise WrongInput("CIRCLE_LAYER_TOKEN_ADDRESS is set, and this script pays the native coin only")
    address = None if options.address is None else _checked(options.address)
    if address is not None and amount is not None:
        return address, amount
    target = await _look_up(options, address, surroundings.database_url)
    came, due = (surroundings.coin.text(units) for units in (target.received, target.due))
    say(f"Payment {target.payment_id} is {target.state}: {came} of {due} came.")
    say(f"Its address is {target.address}, index {target.index}.")
    missing = max(0, target.due - target.received)
    if not missing and amount is None:
        raise WrongInput("nothing is due any more; to pay more, say how much with --amount")
    return target.address, amount or missing


def _checked(address: str) -> str:
    try:
        return checksum_address(address)
    except ValueError:
        raise WrongInput(f"{address!r} is not an address, or its capitals do not check") from None


async def _look_up(options: argparse.Namespace, address: str | None, url: str) -> Target:
    """The payment that is meant. Raises WrongInput."""
    try:
        path = async_url(url).database if url.startswith("sqlite") else None
        if path is not None and not os.path.isfile(path):  # noqa: ASYNC240  # before anything runs beside it
            raise WrongInput(f"there is no database {path}: give DATABASE_URL as the daemon has it")
        async with Database.open(url) as database, database.snapshot() as connection:
            return await _find(options, address, connection)
    except sa.exc.DBAPIError as error:
        raise WrongInput(f"the database cannot be read: {_first_line(error.orig)}. Has the daemon run on it?") from None
    except (sa.exc.ArgumentError, UnsupportedDatabase, OSError) as error:
        raise WrongInput(f"DATABASE_URL does not lead to a database: {_first_line(error)}") from None


async def _find(options: argparse.Namespace, address: str | None, connection: AsyncConnection) -> Target:
    if address is not None:
        found = await store.target_at_address(connection, address)
        return _found(found, f"nobody was asked to pay to {address}: say how much with --amount")
    if options.index is not None:
        found = await store.target_at_index(connection, options.index)
        return _found(found, f"no payment has an address with index {options.index}")
    if options.latest:
        return _found(await store.latest_open(connection), "no payment waits for money")
    booking = await booking_store.by_reference(connection, options.booking.upper())
    found = await store.target_of_booking(connection, booking.id if booking else options.booking)
    return _found(found, f"no payment on chain belongs to a booking {options.booking!r}")


def _found(target: Target | None, otherwise: str) -> Target:
    if target is None:
        raise WrongInput(otherwise)
    return target


def _surroundings(options: argparse.Namespace) -> Surroundings:
    try:
        read = Surroundings()
    except ValidationError as error:
        fault = error.errors()[0]
        raise WrongInput(f"{str(fault['loc'][0]).upper()} is wrong: {fault['msg']}") from None
    changes = {"circle_layer_rpc_url": options.rpc_url, "database_url": options.database_url}
    return read.model_copy(update={name: value for name, value in changes.items() if value is not None})


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
