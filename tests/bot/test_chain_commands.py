"""``layover chain`` as an operator uses it: run as a process, beside a daemon and without one."""

import asyncio
import os
import re
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import sqlalchemy as sa

from bot import cli
from bot.schema import bring_up_to_date
from bot.settings import variable_names
from indexer.addresses import account_xpub
from indexer.config import ChainConfig
from indexer.indexer import Indexer
from indexer.store import deposits_of
from indexer.tables import deposits, events
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.leases import Leased, Leases, Tenure
from runtime.process import exclusive
from sandbox import contracts
from sandbox.anvil import Anvil
from sandbox.child_process import ChildProcess

ROOT = Path(__file__).parents[2]
ADDRESS = "0x00000000000000000000000000000000C0FFEE01"
COIN = 10**18
PATIENCE = 30.0  # seconds
XPUB = account_xpub("test " * 11 + "junk")  # of the public development mnemonic


@dataclass
class Operator:
    node: Anvil
    url: str
    folder: Path
    port: int

    @property
    def variables(self) -> dict[str, str]:
        return {
            "ADMIN_SECRET_KEY": "a-long-random-text-for-this-test",
            "TELEGRAM_BOT_TOKEN": "7000000001:made-up-for-this-test-and-nothing-else",
            "TELEGRAM_API_BASE_URL": "http://127.0.0.1:9",
            "DATABASE_URL": self.url,
            "PORT": str(self.port),
            "CIRCLE_LAYER_RPC_URL": self.node.http_url,
            "CIRCLE_LAYER_WS_URL": self.node.ws_url,
            "CIRCLE_LAYER_MERCHANT_XPUB": XPUB,
            "CIRCLE_LAYER_FIXED_AMOUNT": "1",
            "CIRCLE_LAYER_EXPLORER_BASE_URL": "https://explorer.example",
        }

    def environment(self, **changes: str) -> dict[str, str]:
        foreign = set(variable_names())
        own = {name: value for name, value in os.environ.items() if name not in foreign}
        return own | {"PYTHONPATH": str(ROOT)} | self.variables | changes

    async def chain(self, *arguments: str, **changes: str) -> tuple[int, str]:
        """Exit status, and all that was printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "chain", *arguments),
            cwd=self.folder,
            env=self.environment(**changes),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(PATIENCE):
            said, _ = await process.communicate()
        text = said.decode()
        assert "Traceback" not in text, text
        assert "a-long-random-text" not in text
        return process.returncode or 0, text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - it lies in another process
            await asyncio.sleep(0.05)


@pytest.fixture
async def node() -> AsyncIterator[Anvil]:
    async with Anvil.start() as anvil:
        yield anvil


@asynccontextmanager
async def indexing(operator: Operator, database: Database) -> AsyncIterator[Indexer]:
    """What a daemon does about the chain: the indexer at work under its lease, and on SQLite the file's lock."""
    clock = SystemClock()
    tenure = Tenure(Leases(database, clock), "indexer")
    config = ChainConfig(rpc_urls=(operator.node.http_url,), ws_url=operator.node.ws_url, block_time=0.3)
    with exclusive(database.url):
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            indexer = Indexer(config, database, session, clock, tenure.fence)
            running = group.create_task(Leased("indexer", indexer.run, tenure).run())
            try:
                yield indexer
            finally:
                running.cancel()


async def paid(operator: Operator, database: Database, indexer: Indexer) -> list[str]:
    """Two deposits at a resting address, confirmed: the hashes of their transactions."""
    node = operator.node
    await until(lambda: _level(operator, indexer))
    baseline = await indexer.baseline(ADDRESS)
    async with database.transaction() as tx:
        await indexer.watch(tx, baseline)
    await contracts.receipt(node, first := await node.send(ADDRESS, COIN))
    await until(lambda: _stored(database, 1))
    async with database.transaction() as tx:
        await indexer.demote(tx, ADDRESS)
    await contracts.receipt(node, second := await node.send(ADDRESS, COIN // 2))
    await node.mine(3)
    await until(lambda: _confirmed(database, 2))
    return [first, second]


async def _level(operator: Operator, indexer: Indexer) -> bool:
    return indexer.health().cursor == await operator.node.block_number()


async def _stored(database: Database, count: int) -> bool:
    async with database.snapshot() as connection:
        return len(await deposits_of(connection, ADDRESS)) == count


async def _confirmed(database: Database, count: int) -> bool:
    async with database.snapshot() as connection:
        return sum(deposit.confirmed for deposit in await deposits_of(connection, ADDRESS)) == count


async def transactions(database: Database) -> list[str | None]:
    async with database.snapshot() as connection:
        return [deposit.tx_hash for deposit in await deposits_of(connection, ADDRESS)]


async def forget(database: Database) -> None:
    """As if the deposits had never been seen."""
    async with database.transaction() as tx:
        await tx.execute(sa.delete(deposits))
        await tx.execute(sa.delete(events))


async def test_a_rescan_finds_what_was_missed_beside_a_daemon_and_without_one(
    node: Anvil, database_url: str, tmp_path: Path
) -> None:
    operator = Operator(node, database_url, tmp_path, free_port())
    await bring_up_to_date(database_url)
    async with Database.open(database_url) as database:
        async with indexing(operator, database) as indexer:
            hashes = await paid(operator, database, indexer)
            await forget(database)

            code, said = await operator.chain("rescan", "--from", "0")
            assert code == 0, said
            assert "2 deposits (1.50 CLAYER) had been missed and are stored now" in said
            if database.is_sqlite:
                assert "The daemon runs: it has been asked." in said
            assert "it is done here" not in said
            assert await transactions(database) == hashes
        await forget(database)

        code, said = await operator.chain("rescan", "--from", "1")
        assert code == 0, said
        assert "No daemon indexes this database: it is done here." in said
        assert "2 deposits (1.50 CLAYER) had been missed and are stored now" in said
        assert await transactions(database) == hashes

        code, said = await operator.chain("rescan", "--from", "1")
        assert (code, "nothing had been missed" in said) == (0, True)
        assert await transactions(database) == hashes


async def test_status_tells_what_the_daemon_says_and_manages_without_it(
    node: Anvil, sqlite_url: str, tmp_path: Path
) -> None:
    operator = Operator(node, sqlite_url, tmp_path, free_port())
    code, said = await operator.chain("status")
    assert (code, "there is no database" in said) == (2, True)
    with (tmp_path / "daemon.log").open("wb") as log:
        command = (sys.executable, "-m", "bot", "run")
        daemon = await ChildProcess.spawn(*command, output=log, environment=operator.environment(), folder=tmp_path)
    try:
        await until(lambda: _follows(operator))
        code, said = await operator.chain("status")
        assert code == 0, said
        assert re.search(rf"^Daemon +runs, and answers at http://127.0.0.1:{operator.port}/health$", said, re.M)
        assert re.search(r"^Head +0$", said, re.M)
        assert re.search(r"^Cursor +0, 0 behind", said, re.M)
        assert re.search(r"^Lag .*announced by WebSocket$", said, re.M)
        assert re.search(r"^Addresses +0 open, 0 dormant$", said, re.M)
        assert re.search(rf"^Node +{node.http_url}, .*traces.*requests in the last minute", said, re.M)
    finally:
        await daemon.stop(patience=12)
    await node.mine(5)
    code, said = await operator.chain("status")
    assert code == 1
    assert "does not answer" in said
    assert re.search(r"^Head +5$", said, re.M)
    assert re.search(r"^Cursor +0, 5 behind", said, re.M)
    code, said = await operator.chain("status", CIRCLE_LAYER_RPC_URL="http://127.0.0.1:9")
    assert (code, "Head       unknown: no node answers" in said) == (1, True)


async def _follows(operator: Operator) -> bool:
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{operator.port}/health") as answer,
        ):
            chain = (await answer.json())["parts"]["chain"]
            return chain["cursor"] is not None and chain["heads"] == "websocket"
    except aiohttp.ClientError:
        return False


async def test_a_balance_a_transaction_and_what_is_wrong_in_one_line(
    node: Anvil,
    sqlite_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operator = Operator(node, sqlite_url, tmp_path, free_port())
    await contracts.receipt(node, tx := await node.send(ADDRESS, COIN))
    await node.mine(1)
    code, said = await operator.chain("balance", ADDRESS.lower())
    assert (code, f"{ADDRESS} holds 0.00 CLAYER after block 0 (2 confirmations)" in said) == (0, True)
    code, said = await operator.chain("balance", ADDRESS, "--confirmations", "1")
    assert (code, "holds 1.00 CLAYER after block 1 (1 confirmation)" in said) == (0, True)
    assert f"https://explorer.example/address/{ADDRESS}" in said
    code, said = await operator.chain("tx", tx)
    assert (code, f"{tx} is mined in block 1 " in said) == (0, True)
    assert f"https://explorer.example/tx/{tx}" in said

    wrong: list[tuple[tuple[str, ...], dict[str, str], str]] = [
        (("balance", "0x12"), {}, "'0x12' is not an address"),
        (("balance", ADDRESS, "--confirmations", "-1"), {}, "--confirmations must be 0 or more, not -1"),
        (("tx", "0x12"), {}, "is not a transaction's hash"),
        (("tx", tx), {"CIRCLE_LAYER_CHAIN_ID": "1"}, "is on chain 28525, not on 1"),
        (("status",), {"CIRCLE_LAYER_RPC_URL": ""}, "no node is configured: set CIRCLE_LAYER_RPC_URL"),
        (("rescan", "--from", "-1"), {}, "--from must be a block's number, not -1"),
        (("rescan", "--from", "1"), {}, "there is no database"),
    ]
    for arguments, changes, complaint in wrong:  # in this process: one each would take long
        with monkeypatch.context() as patch:
            for name, value in operator.environment(**changes).items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as end:
                await asyncio.to_thread(cli.main, ["chain", *arguments])
        [line] = capsys.readouterr().err.splitlines()
        assert (end.value.code, line.startswith("layover: "), complaint in line) == (2, True, True), line
    await bring_up_to_date(sqlite_url)
    code, said = await operator.chain("rescan", "--from", "1")
    assert (code, "no block was ever read into this database" in said) == (2, True)
