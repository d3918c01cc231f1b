"""scripts/fund_deposit.py pays what it is told on a local node, and refuses everything else with one clear line."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from bot import tables as bot_tables
from payments import store
from payments.money import Coin, Money
from payments.payment import Method, Payment, Quote, State
from payments.tables import deposit_addresses
from payments.tables import metadata as payments_metadata
from runtime.database import Database
from sandbox import contracts
from sandbox.anvil import Anvil
from scripts import funding

CLAYER = Coin("CLAYER", 18)
COIN = 10**18
WAITING = "0xA11cea11CEA11CEA11cEa11CeA11ceA11CEA11Ce"
EARLIER = "0xb0bB0bB0Bb0Bb0bB0Bb0bb0bb0bB0BB0Bb0BB0Bb"
STRANGER = "0x5742A6E25742a6E25742A6E25742a6E25742a6e2"
INCLUDED = ("--wait", "--confirmations", "0")  # the node answers before the transaction is in a block
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


@dataclass
class Run:
    code: int
    out: str
    err: str


Fund = Callable[..., Awaitable[Run]]


@pytest.fixture
async def node() -> AsyncIterator[Anvil]:
    async with Anvil.start() as anvil:
        yield anvil


@pytest.fixture
async def fund(node: Anvil, database: Database, capsys: pytest.CaptureFixture[str]) -> Fund:
    """Runs the command against the node, and a database with two payments: one underpaid, one older and expired."""
    await _fill(database)
    return _command(node, database, capsys)


@pytest.fixture
async def fund_on_sqlite(node: Anvil, sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Fund]:
    """The same, for what has nothing to do with the kind of database."""
    async with Database.open(sqlite_url) as database:
        await _fill(database)
        yield _command(node, database, capsys)


def _command(node: Anvil, database: Database, capsys: pytest.CaptureFixture[str]) -> Fund:
    async def run(*arguments: str) -> Run:
        given = ["--rpc-url", node.http_url, "--database-url", database.url, *arguments]
        code = await asyncio.to_thread(_exit_code, given)
        said = capsys.readouterr()
        return Run(code, said.out, said.err)

    return run


async def _fill(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(payments_metadata.create_all)
        await connection.run_sync(bot_tables.metadata.create_all)
    await _insert(database, "pay-2", WAITING, 7, State.UNDERPAID, received=COIN // 4, at=NOW)
    await _insert(database, "pay-1", EARLIER, 6, State.EXPIRED, received=0, at=NOW - timedelta(hours=2))


def _exit_code(arguments: list[str]) -> int:
    try:
        return funding.main(arguments)
    except SystemExit as usage:
        return int(usage.code or 0)


async def _insert(
    database: Database, name: str, address: str, index: int, state: State, received: int, at: datetime
) -> None:
    quote = Quote(Money.of("12.50", "USD"), CLAYER, COIN, "fixed test amount", at)
    payment = Payment(
        id=name,
        booking_id=f"booking-{name}",
        chat="telegram:4711",
        method=Method.CLAYER,
        state=state,
        quote=quote,
        created_at=at,
        opened_at=at,
        expires_at=at + timedelta(hours=1),
        version=1,
        address=address,
        received=received,
    )
    async with database.transaction() as tx:
        await store.insert(tx, payment, at)
        await tx.execute(
            deposit_addresses.insert().values(
                account="xpub", index=index, address=address, payment_id=name, given_at=at
            )
        )


async def test_the_latest_payment_gets_what_is_still_due(fund: Fund, node: Anvil) -> None:
    run = await fund("--latest", *INCLUDED)
    assert (run.code, run.err) == (0, "")
    assert "pay-2 is underpaid: 0.25 CLAYER of 1.00 CLAYER came" in run.out
    assert await node.balance(WAITING) == 3 * COIN // 4


@pytest.mark.parametrize("chosen", [("--index", "6"), ("--booking", "booking-pay-1"), ("--address", EARLIER)])
async def test_a_payment_is_found_by_index_booking_and_address(
    fund: Fund, node: Anvil, chosen: tuple[str, str]
) -> None:
    assert (await fund(*chosen, *INCLUDED)).code == 0
    assert await node.balance(EARLIER) == COIN


async def test_any_address_is_paid_the_amount_given(fund: Fund, node: Anvil) -> None:
    run = await fund("--address", STRANGER.lower(), "--amount", "0.000000000000000001", *INCLUDED)
    assert run.code == 0
    assert await node.balance(STRANGER) == 1


async def test_parts_make_the_whole_amount_to_the_last_wei(fund_on_sqlite: Fund, node: Anvil) -> None:
    run = await fund_on_sqlite("--latest", "--parts", "7", "--amount", "1", *INCLUDED)
    assert run.code == 0
    assert run.out.count("Sent ") == 7
    assert await node.balance(WAITING) == COIN


async def test_through_a_contract_no_transaction_names_the_address(fund_on_sqlite: Fund, node: Anvil) -> None:
    run = await fund_on_sqlite("--latest", "--via-contract", "--parts", "2")
    assert run.code == 0
    for line in run.out.splitlines():
        if line.startswith("Sent "):
            transaction = line.split()[-1]
            assert (await contracts.receipt(node, transaction))["status"] == "0x1"
            assert (await node.rpc("eth_getTransactionByHash", transaction))["to"] != WAITING.lower()
    assert await node.balance(WAITING) == 3 * COIN // 4


async def test_wait_shows_the_confirmations_as_they_come(database_free_node: Anvil) -> None:
    arguments = ("--address", STRANGER, "--amount", "1", "--wait", "--rpc-url", database_free_node.http_url)
    environment = {**os.environ, "CIRCLE_LAYER_MIN_CONFIRMATIONS": "2"}
    script = Path(funding.__file__).with_name("fund_deposit.py")
    done = await asyncio.to_thread(
        subprocess.run, [_system_python(), str(script), *arguments], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    shown = [line for line in done.stdout.splitlines() if line.endswith("confirmations")]
    assert shown[-2:] == ["1 of 2 confirmations", "2 of 2 confirmations"]


@pytest.fixture
async def database_free_node() -> AsyncIterator[Anvil]:
    async with Anvil.start(block_time=0.5) as anvil:
        yield anvil


def _system_python() -> str:
    """A Python outside the environment: the script finds its own way in."""
    outside = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if not p.startswith(sys.prefix))
    return shutil.which("python3", path=outside) or sys.executable


async def test_a_transaction_that_fails_on_chain_is_told(fund_on_sqlite: Fund, node: Anvil) -> None:
    await node.rpc("anvil_setCode", STRANGER, "0x" + contracts.REVERTING_FORWARDER.hex())
    run = await fund_on_sqlite("--address", STRANGER, "--amount", "1", "--via-contract", "--wait")
    assert (run.code, run.err) == (1, "fund_deposit: the transaction failed on the chain: nothing was paid\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--address", "0xA11cea11CEA11CEA11cEa11CeA11ceA11CEA11CE", "--amount", "1"), "capitals do not check"),
        (("--address", "0x12", "--amount", "1"), "is not an address"),
        (("--address", STRANGER), "say how much with --amount"),
        (("--booking", "QX4TZ7"), "no payment on chain belongs to a booking 'QX4TZ7'"),
        (("--index", "99"), "no payment has an address with index 99"),
        (("--latest", "--amount", "0"), "must be more than 0"),
        (("--latest", "--amount", "-1"), "must be more than 0"),
        (("--latest", "--amount", "NaN"), "must be more than 0"),
        (("--latest", "--amount", "a lot"), "is not a number"),
        (("--latest", "--amount", "0.0000000000000000001"), "too precise"),
        (("--latest", "--amount", "1e30"), "more than a development node has"),
        (("--latest", "--parts", "0"), "--parts must be between"),
        (("--latest", "--amount", "0.000000000000000002", "--parts", "3"), "2 wei cannot be paid in 3 parts"),
        (("--latest", "--confirmations", "-1"), "must not be negative"),
        (("--latest", "--rpc-url", "http://192.0.2.1:8545"), "is not this machine"),
        (("--latest", "--database-url", "sqlite:///nowhere.db"), "there is no database nowhere.db"),
        (("--latest", "--database-url", "mysql://x/y"), "does not lead to a database"),
        (("--latest", "--index", "1"), "not allowed with"),
        ((), "is required"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_wrong_input_is_refused_and_nothing_is_sent(
    fund_on_sqlite: Fund, node: Anvil, arguments: tuple[str, ...], complaint: str
) -> None:
    run = await fund_on_sqlite(*arguments)
    assert run.code == 2
    assert complaint in run.err
    assert len(run.err.strip().splitlines()) == 1 or run.err.startswith("usage:")
    assert await node.block_number() == 0


async def test_no_node_is_said_in_one_line(fund_on_sqlite: Fund, unused_tcp_port: int) -> None:
    run = await fund_on_sqlite("--latest", "--rpc-url", f"http://127.0.0.1:{unused_tcp_port}")
    assert run.code == 1
    assert run.err.startswith("fund_deposit: no node answers at")
    assert run.err.count("\n") == 1


async def test_another_chain_is_refused(node: Anvil) -> None:
    async with Anvil.start(chain_id=1) as other:
        given = ["--address", STRANGER, "--amount", "1", "--rpc-url", other.http_url]
        assert await asyncio.to_thread(funding.main, given) == 2
        assert await other.balance(STRANGER) == 0


async def test_a_local_address_that_leads_to_a_public_node_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A tunnel: this machine's address and the right chain id, but no development node behind it."""
    answers = {"eth_chainId": hex(28525), "web3_clientVersion": "Geth/v1.13.15-stable/linux-amd64/go1.21.6"}

    async def answer(request: web.Request) -> web.Response:
        call = await request.json()
        return web.json_response({"jsonrpc": "2.0", "id": call["id"], "result": answers[call["method"]]})

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        given = ["--address", STRANGER, "--amount", "1", "--rpc-url", url]
        assert await asyncio.to_thread(funding.main, given) == 2
    finally:
        await runner.cleanup()
    assert "which is no development node" in capsys.readouterr().err


async def test_what_answers_but_is_no_node_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        given = ["--address", STRANGER, "--amount", "1", "--rpc-url", url]
        assert await asyncio.to_thread(funding.main, given) == 1
    finally:
        await runner.cleanup()
    assert "no node answers" in capsys.readouterr().err
