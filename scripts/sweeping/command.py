"""``scripts/sweep.py``: shows what it would do, asks, and does it.

Exit codes: 0 done, or nothing to do; 1 the chain did not let it; 2 wrong input. Needs the daemon's database (to know
which payments are whose) and a node; the mnemonic only for the sending. It works beside a running daemon, or with a
copy of the database on another machine.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation
from getpass import getpass
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.schema import check_current
from bot.settings import OWN_BATCH, PUBLIC_BATCH, PUBLIC_HOSTS, PUBLIC_REQUESTS
from indexer.addresses import DEFAULT_PATH, BadDerivationPath, BadMnemonic, checksum_address
from indexer.config import BadChainConfig, ChainConfig
from indexer.nodes import NodePool, WrongChain
from indexer.store import ChainStore, no_lease
from payments.money import Coin
from runtime.clock import SystemClock
from runtime.database import Database, UnsupportedDatabase, async_url
from runtime.errors import LayoverError
from runtime.http import client_session
from runtime.logging import Format, configure_logging
from scripts.sweeping.candidates import Candidate, LeftAlone, Why
from scripts.sweeping.chain import Signer, SweepChain
from scripts.sweeping.journal import BadJournal, Journal
from scripts.sweeping.planning import Plan, Terms, make_plan, read_candidates
from scripts.sweeping.sending import NotSwept, Pace, Sweeper, arrived_text
from scripts.sweeping.showing import show

GWEI = 10**9
FLOOR = Decimal(21)  # gwei: Circle Layer takes nothing below


class WrongInput(LayoverError):
    """The command cannot be carried out as it was given; exit code 2."""


class Surroundings(BaseSettings):
    """The daemon's own variables, from the environment or .env, and the treasury's."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    database_url: str = "sqlite:///layover.db"
    circle_layer_rpc_url: str | None = None
    circle_layer_rpc_urls: str = ""
    circle_layer_chain_id: int = 28525
    circle_layer_token_symbol: str = "CLAYER"
    circle_layer_token_decimals: int = 18
    circle_layer_token_address: str | None = None
    circle_layer_derivation_path: str = DEFAULT_PATH
    circle_layer_min_confirmations: int = 3
    circle_layer_rpc_timeout: float = 10.0
    circle_layer_requests_per_minute: int | None = None
    circle_layer_batch_size: int | None = None
    circle_layer_treasury_address: str | None = None
    circle_layer_merchant_mnemonic: SecretStr | None = None


def arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="sweep.py",
        description="Collects what paid deposit addresses hold at CIRCLE_LAYER_TREASURY_ADDRESS. Shows first what it "
        "would do, and asks. What is a traveller's stays: overpaid rests, late and refused money.",
        epilog="Database, node and chain are the daemon's variables. The mnemonic comes from "
        "CIRCLE_LAYER_MERCHANT_MNEMONIC or a prompt. Run again after any cut: it goes on where it was.",
    )
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done; needs no mnemonic")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--address", action="append", default=[], metavar="0x…", help="only this one (repeatable)")
    parser.add_argument("--list", action="store_true", help="list every address, not the first ones only")
    parser.add_argument("--min", metavar="COINS", help="leave alone what brings less (default: less than its fee)")
    parser.add_argument("--gas-price", metavar="GWEI", help="by default what the node suggests, at least the floor")
    parser.add_argument("--gas-price-floor", metavar="GWEI", default=str(FLOOR), help=f"default {FLOOR}")
    parser.add_argument("--at-once", type=int, default=20, metavar="N", help="transfers sent together (default 20)")
    parser.add_argument("--poll", type=float, default=2.0, metavar="S", help="seconds between looks (default 2)")
    parser.add_argument("--timeout", type=float, default=300.0, metavar="S", help="give up after so long a standstill")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="default sweep-CHAINID.jsonl, here")
    parser.add_argument("--rpc-url", metavar="URL", help="the node")
    parser.add_argument("--database-url", metavar="URL", help="the daemon's database")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> int:
    options = arguments(given)
    try:
        return asyncio.run(sweep(options, _surroundings(options)))
    except (WrongInput, WrongChain, BadJournal, BadMnemonic, BadDerivationPath, BadChainConfig) as problem:
        sys.stderr.write(f"sweep: {problem}\n")
        return 2
    except LayoverError as problem:
        sys.stderr.write(f"sweep: {problem}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("sweep: stopped; run it again to go on\n")
        return 130


async def sweep(options: argparse.Namespace, around: Surroundings) -> int:
    """Raises WrongInput and the classes that ``main`` names; NotSwept, ChainUnavailable."""
    configure_logging(form=Format.CONSOLE, level="ERROR", stream=sys.stderr)
    treasury = _treasury(around)
    config = _chain_config(around)
    pace = Pace(options.at_once, options.poll, options.timeout)
    if pace.at_once < 1 or pace.poll <= 0 or pace.patience <= 0:
        raise WrongInput("--at-once, --poll and --timeout must be above 0")
    price, floor = _gwei("--gas-price", options.gas_price), _gwei("--gas-price-floor", options.gas_price_floor) or 0
    if price is not None and price < floor:
        raise WrongInput(f"--gas-price is below the floor of {floor / GWEI:g} gwei: nodes would not take it")
    async with _database(around.database_url) as database, client_session() as session:
        nodes = NodePool(config, session, SystemClock())
        cursor = await ChainStore(database, SystemClock(), 0, no_lease, lambda: None).cursor()
        if cursor is not None:  # the node must be on the chain that the payments were read from
            nodes.expect_genesis(cursor.genesis)
        chain = SweepChain(nodes, config.chain_id, config.confirmations)
        path = options.journal or Path(f"sweep-{config.chain_id}.jsonl")
        with Journal.open(path, config.chain_id, await chain.genesis()) as journal:
            _check_recipients(journal, treasury)
            native = _native(around)
            gas_price = price if price is not None else max(floor, await chain.gas_price())
            candidates, left = await _chosen(database, options.address)
            if treasury in {candidate.address for candidate in candidates}:
                raise WrongInput("CIRCLE_LAYER_TREASURY_ADDRESS is one of the deposit addresses")
            terms = Terms(treasury, native, gas_price, _least(options.min, candidates, native, gas_price))
            plan = await make_plan(candidates, left, journal, chain, terms)
            show(plan, journal, terms, config.chain_id, in_full=options.list, say=_say)
            if not (plan.transfers or plan.reopened or journal.open_tracks):
                _say("There is nothing to sweep.")
                return 0
            if options.dry_run:
                _say("This was a dry run: nothing was sent.")
                return 0
            if not options.yes and not _agreed():
                _say("Nothing was sent.")
                return 0
            signer = Signer(_mnemonic(around), around.circle_layer_derivation_path, config.chain_id)
            _keep_own(plan, signer, candidates)
            sweeper = Sweeper(
                database, chain, signer, journal, terms, confirmations=config.confirmations, pace=pace, say=_say
            )
            return await _carry_out(sweeper, plan, candidates, native)


async def _carry_out(sweeper: Sweeper, plan: Plan, candidates: Sequence[Candidate], native: Coin) -> int:
    _say("Sweeping …")
    await sweeper.resume()
    await sweeper.reopen(plan.reopened)
    result = await sweeper.carry_out(plan)
    coins: dict[str | None, Coin] = {each.coin.token_address: each.coin for each in candidates}
    coins[None] = coins.get(None, native)
    _say(f"{result.swept} swept and confirmed: {arrived_text(result, coins)} arrived, {native.text(result.fees)} fees.")
    for sentence in result.failed:
        _say(f"  not swept: {sentence}")
    if result.failed:
        raise NotSwept(f"{len(result.failed)} could not be swept; run it again when the cause is mended")
    return 0


async def _chosen(database: Database, wanted: Sequence[str]) -> tuple[list[Candidate], list[LeftAlone]]:
    """All, or those that were named; a named one that must be left alone is refused. Raises WrongInput."""
    candidates, left = await read_candidates(database)
    if not wanted:
        return candidates, left
    by_address = {each.address: each for each in candidates}
    kept = []
    for text in dict.fromkeys(wanted):
        try:
            address = checksum_address(text)
        except ValueError as error:
            raise WrongInput(f"--address: {error}") from None
        refusal = next((each for each in left if each.address == address), None)
        if refusal is not None:
            raise WrongInput(f"{address} is not swept: {refusal.why} (payment {refusal.payment_id})")
        if address not in by_address:
            raise WrongInput(f"{address} is no deposit address with a payment on it")
        kept.append(by_address[address])
    return kept, []


def _keep_own(plan: Plan, signer: Signer, candidates: Sequence[Candidate]) -> None:
    """Only what the mnemonic can sign for. Raises WrongInput where that is nothing."""
    accounts = {candidate.address: candidate.account for candidate in candidates}
    foreign = [candidate for candidate, _ in plan.transfers if accounts[candidate.address] != signer.account]
    if foreign and len(foreign) == len(plan.transfers):
        raise WrongInput("the mnemonic is not that of the account which these addresses belong to")
    for candidate in foreign:
        _say(f"  {candidate.address} is left alone: {Why.OTHER_ACCOUNT}")
    plan.transfers = [each for each in plan.transfers if each[0] not in foreign]


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise WrongInput("nobody is there to ask: --dry-run shows only, --yes goes ahead")
    return input("Send these? [y/N] ").strip().lower() in ("y", "yes")


def _mnemonic(around: Surroundings) -> str:
    if around.circle_layer_merchant_mnemonic is not None:
        return around.circle_layer_merchant_mnemonic.get_secret_value()
    if not sys.stdin.isatty():
        raise WrongInput("CIRCLE_LAYER_MERCHANT_MNEMONIC is not set, and nobody is there to be asked for it")
    return getpass("Mnemonic (not shown): ")


def _native(around: Surroundings) -> Coin:
    """What fees are paid in. Where payments are taken in a token, symbol and decimals are set for that."""
    if around.circle_layer_token_address is not None:
        return Coin("CLAYER", 18)
    return Coin(around.circle_layer_token_symbol, around.circle_layer_token_decimals)


def _treasury(around: Surroundings) -> str:
    given = around.circle_layer_treasury_address
    if given is None:
        raise WrongInput("CIRCLE_LAYER_TREASURY_ADDRESS is not set: say where the money is to go")
    try:
        address = checksum_address(given)
    except ValueError as error:
        raise WrongInput(f"CIRCLE_LAYER_TREASURY_ADDRESS: {error}") from None
    if int(address, 16) == 0:
        raise WrongInput("CIRCLE_LAYER_TREASURY_ADDRESS is the zero address: what goes there is lost")
    return address


def _check_recipients(journal: Journal, treasury: str) -> None:
    for track in journal.open_tracks:
        if track.last.recipient != treasury:
            raise WrongInput(
                f"transfers to {track.last.recipient} are on their way: run it with that treasury until they are "
                "confirmed, then change it"
            )


def _chain_config(around: Surroundings) -> ChainConfig:
    first = [around.circle_layer_rpc_url] if around.circle_layer_rpc_url else []
    urls = tuple(dict.fromkeys([*first, *around.circle_layer_rpc_urls.replace(",", " ").split()]))
    if not urls:
        raise WrongInput("CIRCLE_LAYER_RPC_URL is not set: say which node to use")
    is_public = any((urlsplit(url).hostname or "").endswith(PUBLIC_HOSTS) for url in urls)
    return ChainConfig(
        rpc_urls=urls,
        requests_per_minute=around.circle_layer_requests_per_minute or (PUBLIC_REQUESTS if is_public else None),
        batch_size=around.circle_layer_batch_size or (PUBLIC_BATCH if is_public else OWN_BATCH),
        chain_id=around.circle_layer_chain_id,
        confirmations=around.circle_layer_min_confirmations,
        rpc_timeout=around.circle_layer_rpc_timeout,
    )


@asynccontextmanager
async def _database(url: str) -> AsyncIterator[Database]:
    """Raises WrongInput, SchemaBehind."""
    try:
        path = async_url(url).database if url.startswith("sqlite") else None
        if path is not None and not Path(path).is_file():  # noqa: ASYNC240 - before anything runs beside it
            raise WrongInput(f"there is no database {path}: give DATABASE_URL as the daemon has it")
        await asyncio.to_thread(check_current, url)
        async with Database.open(url) as database:
            yield database
    except sa.exc.DBAPIError as error:
        raise WrongInput(f"the database cannot be read: {_first_line(error.orig)}") from None
    except (sa.exc.ArgumentError, UnsupportedDatabase) as error:
        raise WrongInput(f"DATABASE_URL does not lead to a database: {_first_line(error)}") from None


def _gwei(name: str, text: str | None) -> int | None:
    """Wei of a price in gwei."""
    if text is None:
        return None
    amount = _decimal(name, text)
    wei = amount * GWEI
    if wei != int(wei) or amount > 1_000_000:
        raise WrongInput(f"{name} {text} cannot be a price in gwei")
    return int(wei)


def _least(text: str | None, candidates: Sequence[Candidate], native: Coin, gas_price: int) -> dict[str, int]:
    """By coin, the units that a transfer must bring: ``--min``, or of the native coin as much as its fee."""
    if text is None:
        return {native.symbol: 21_000 * gas_price}
    amount = _decimal("--min", text)
    return {coin.symbol: coin.units(amount) for coin in (native, *(candidate.coin for candidate in candidates))}


def _decimal(name: str, text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise WrongInput(f"{name} {text!r} is not a number") from None
    if not amount.is_finite() or amount < 0:
        raise WrongInput(f"{name} must be 0 or more, not {text}")
    return amount


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
