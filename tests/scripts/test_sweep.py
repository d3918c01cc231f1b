"""scripts/sweep.py as an operator runs it: a process, judged by what it prints and by what the chain then holds."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.booking import BookingState
from bot.schema import upgrade
from bot.settings import variable_names
from bot.tables import bookings
from indexer.addresses import AddressBook, account_xpub
from payments import store
from payments.money import Coin, Money
from payments.payment import Method, Payment, Quote, State
from payments.tables import deposit_addresses
from runtime.database import Database
from sandbox import contracts
from sandbox.anvil import Anvil
from scripts.sweeping import command

ROOT = Path(__file__).parents[2]
MNEMONIC = "legal winner thank year wave sausage worth useful legal winner thank yellow"  # a test vector of BIP-39
OTHER_MNEMONIC = "test test test test test test test test test test test junk"
XPUB = account_xpub(MNEMONIC)
BOOK = AddressBook(XPUB)
TREASURY = "0x7Ea50000000000000000000000000000000000Aa".lower()
CLAYER = Coin("CLAYER", 18)
COIN = 10**18
FEE = 21_000 * 21 * 10**9  # wei: of a transfer at Circle Layer's lowest price
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
CONFIRMATIONS = 2
PATIENCE = 30.0  # seconds


@dataclass
class Operator:
    """Runs the script on one database and one chain. ``paid`` sets up what it finds."""

    node: Anvil
    database: Database
    folder: Path
    _given: int = 0

    def environment(self, **changes: str) -> dict[str, str]:
        foreign = set(variable_names())
        own = {name: value for name, value in os.environ.items() if name not in foreign}
        return (
            own
            | {
                "DATABASE_URL": self.database.url,
                "CIRCLE_LAYER_RPC_URL": self.node.http_url,
                "CIRCLE_LAYER_TREASURY_ADDRESS": TREASURY,
                "CIRCLE_LAYER_MERCHANT_MNEMONIC": MNEMONIC,
                "CIRCLE_LAYER_MIN_CONFIRMATIONS": str(CONFIRMATIONS),
            }
            | changes
        )

    async def start(self, *arguments: str, **changes: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "scripts" / "sweep.py"), "--poll", "0.1", *arguments),
            cwd=self.folder,
            env=self.environment(**changes),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(self, *arguments: str, **changes: str) -> tuple[int, str]:
        """Exit code, and all that was printed."""
        process = await self.start(*arguments, **changes)
        async with asyncio.timeout(2 * PATIENCE):
            said, _ = await process.communicate()
        text = said.decode()
        assert MNEMONIC not in text
        assert "Traceback" not in text, text
        return process.returncode or 0, text

    async def address(
        self,
        state: State = State.COMPLETE,
        booking: BookingState = BookingState.TICKETED,
        *,
        due: int = COIN,
        holds: int = COIN,
        paid_by_other: bool = False,
        coin: Coin = CLAYER,
    ) -> str:
        """A deposit address with its payment and booking, holding that much."""
        index, self._given = self._given, self._given + 1
        address = BOOK.address(index)
        quote = Quote(Money.of("12.50", "USD"), coin, due, "fixed test amount", NOW)
        payment = Payment(
            id=f"pay_{index}",
            booking_id=f"bkg_{index}",
            chat="telegram:4711",
            method=Method.CLAYER,
            state=state,
            quote=quote,
            created_at=NOW,
            opened_at=NOW,
            expires_at=NOW + timedelta(hours=1),
            version=1,
            address=address,
            received=holds,
            confirmed=holds,
        )
        async with self.database.transaction() as tx:
            await store.insert(tx, payment, NOW)
            given = {"account": XPUB, "index": index, "address": address, "payment_id": payment.id, "given_at": NOW}
            await tx.execute(deposit_addresses.insert().values(given))
            papers = {"offer": {}, "travellers": [], "contact": {}, "created_at": NOW, "reference": f"REF{index}"}
            paid_by = "pay_another" if paid_by_other else payment.id
            row = {"id": payment.booking_id, "chat": payment.chat, "state": booking, "payment_id": paid_by}
            await tx.execute(bookings.insert().values(row | papers))
        if coin.token_address is None:
            await self.node.rpc("anvil_setBalance", address, hex(holds))
        else:
            await contracts.receipt(self.node, await contracts.pay_token(self.node, coin.token_address, address, holds))
        return address

    async def nonce(self, address: str) -> int:
        return int(await self.node.rpc("eth_getTransactionCount", address, "latest"), 16)

    @property
    def journal(self) -> Path:
        return self.folder / "sweep-28525.jsonl"

    def records(self, kind: str) -> list[dict[str, Any]]:
        if not self.journal.exists():
            return []
        lines = self.journal.read_text().splitlines()
        return [record for line in lines if line.endswith("}") and (record := json.loads(line))["kind"] == kind]


@asynccontextmanager
async def operating(node: Anvil, url: str, folder: Path) -> AsyncIterator[Operator]:
    await asyncio.to_thread(upgrade, url)
    async with Database.open(url) as database:
        yield Operator(node, database, folder)


@pytest.fixture
async def node() -> AsyncIterator[Anvil]:
    async with Anvil.start(block_time=0.3) as anvil:
        yield anvil


@pytest.fixture
async def operator(node: Anvil, sqlite_url: str, tmp_path: Path) -> AsyncIterator[Operator]:
    async with operating(node, sqlite_url, tmp_path) as ready:
        yield ready


async def deep(node: Anvil) -> None:
    await node.mine(CONFIRMATIONS + 1)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - it lies in a file or on the chain, which tell nobody
            await asyncio.sleep(0.01)


async def test_what_is_paid_is_collected_to_the_wei_and_what_is_a_travellers_stays(
    node: Anvil, database_url: str, tmp_path: Path
) -> None:
    async with operating(node, database_url, tmp_path) as operator:
        paid = [await operator.address(), await operator.address(due=3 * COIN, holds=3 * COIN)]
        overpaid = await operator.address(State.OVERPAID, holds=3 * COIN // 2)
        theirs = [
            await operator.address(State.LATE),
            await operator.address(State.EXPIRED, holds=COIN // 3),
            await operator.address(booking=BookingState.REFUSED),
            await operator.address(paid_by_other=True),
        ]
        unfinished = [
            await operator.address(State.PENDING),
            await operator.address(State.UNDERPAID, holds=COIN // 2),
            await operator.address(State.REVERSED),
            await operator.address(booking=BookingState.PAID),
        ]
        held = {address: await node.balance(address) for address in (*theirs, *unfinished)}
        await deep(node)

        code, said = await operator.run("--dry-run", CIRCLE_LAYER_MERCHANT_MNEMONIC="")
        assert code == 0, said
        assert f"The treasury gets:  {CLAYER.text(5 * COIN - 3 * FEE)}" in said
        assert f"Fees, at most:      {CLAYER.text(3 * FEE)} (63,000 gas at 21 gwei)" in said
        assert "Left alone:    2  the payment is not finished" in said
        assert "the airline refused the booking: the money is the traveller's" in said
        assert await node.balance(TREASURY) == 0

        code, said = await operator.run("--yes")
        assert code == 0, said
        assert "3 swept and confirmed" in said
        assert await node.balance(TREASURY) == 5 * COIN - 3 * FEE
        assert [await node.balance(address) for address in paid] == [0, 0]
        assert await node.balance(overpaid) == COIN // 2
        assert {address: await node.balance(address) for address in held} == held
        assert MNEMONIC not in operator.journal.read_text()
        assert operator.journal.stat().st_mode & 0o077 == 0

        code, said = await operator.run("--yes")
        assert (code, "There is nothing to sweep." in said) == (0, True)
        assert await node.balance(TREASURY) == 5 * COIN - 3 * FEE


async def test_killed_again_and_again_it_sweeps_every_address_once(operator: Operator, node: Anvil) -> None:
    addresses = [await operator.address() for _ in range(12)]
    await deep(node)
    for enough in (1, 5, 9):  # transfers in the journal when the axe falls: just signed, sent, or mined
        process = await operator.start("--yes", "--at-once", "4")

        async def far_enough(enough: int = enough) -> bool:
            return len(operator.records("signed")) >= enough

        await until(far_enough)
        process.send_signal(signal.SIGKILL)
        await process.communicate()
    with operator.journal.open("ab") as journal:
        journal.write(b'{"kind": "confirmed", "addr')  # and the power went in the middle of a line

    code, said = await operator.run("--yes", "--at-once", "4")
    assert code == 0, said
    assert [await operator.nonce(address) for address in addresses] == [1] * 12
    assert [await node.balance(address) for address in addresses] == [0] * 12
    assert await node.balance(TREASURY) == 12 * (COIN - FEE)
    assert len(operator.records("confirmed")) == 12


async def test_a_lost_journal_sends_nothing_twice(operator: Operator, node: Anvil) -> None:
    swept = [await operator.address(State.OVERPAID, holds=5 * COIN) for _ in range(2)]
    await deep(node)
    assert (await operator.run("--yes"))[0] == 0
    operator.journal.unlink()
    new = await operator.address()
    await deep(node)
    code, said = await operator.run("--yes")
    assert code == 0, said
    assert "2  it has sent something before that is not in this journal" in said
    assert [await node.balance(address) for address in (*swept, new)] == [4 * COIN, 4 * COIN, 0]
    assert await node.balance(TREASURY) == 3 * (COIN - FEE)


async def test_what_waits_at_a_price_too_low_is_replaced_and_arrives_once(sqlite_url: str, tmp_path: Path) -> None:
    async with Anvil.start() as node, operating(node, sqlite_url, tmp_path) as operator:
        address = await operator.address()
        await deep(node)
        await node.rpc("evm_setAutomine", False)
        code, said = await operator.run("--yes", "--timeout", "1")
        assert code == 1
        assert "run it again to go on, with a higher --gas-price" in said
        process = await operator.start("--yes", "--gas-price", "50")

        async def replaced() -> bool:
            signed = operator.records("signed")
            return len(signed) == 2 and await node.rpc("eth_getTransactionByHash", signed[1]["hash"]) is not None

        await until(replaced)
        while process.returncode is None:
            await node.mine()
            await asyncio.sleep(0.1)
        assert process.returncode == 0
        assert await operator.nonce(address) == 1
        assert await node.balance(TREASURY) == COIN - FEE // 21 * 50


async def test_a_sweep_that_a_reorg_took_back_is_sent_again(operator: Operator, node: Anvil) -> None:
    address = await operator.address()
    await deep(node)
    assert (await operator.run("--yes"))[0] == 0
    [confirmed] = operator.records("confirmed")
    depth = await node.block_number() - confirmed["block"] + 1
    await node.reorg(depth)
    assert await node.balance(TREASURY) == 0
    await deep(node)
    code, said = await operator.run("--yes")
    assert code == 0, said
    assert "taken back by a reorg" in said
    assert await operator.nonce(address) == 1
    assert await node.balance(TREASURY) == COIN - FEE


async def test_a_token_is_collected_where_there_is_gas_and_what_lacks_is_said(operator: Operator, node: Anvil) -> None:
    token = await contracts.deploy_token(node)
    coin = Coin("USDC", 6, token)
    rich, poor = [await operator.address(coin=coin, due=5_000_000, holds=5_000_000) for _ in range(2)]
    over = await operator.address(State.OVERPAID, coin=coin, due=5_000_000, holds=6_000_000)
    for address in (rich, over):
        await node.rpc("anvil_setBalance", address, hex(COIN))
    await deep(node)
    code, said = await operator.run("--yes", CIRCLE_LAYER_TOKEN_ADDRESS=token, CIRCLE_LAYER_TOKEN_SYMBOL="USDC")
    assert code == 0, said
    assert "The treasury gets:  10.00 USDC" in said
    assert f"{poor}  payment pay_1  needs 0.00" in said
    assert "A token can only be moved by an address that holds CLAYER for the fee." in said
    assert "2 swept and confirmed: 10.00 USDC arrived" in said

    async def tokens(address: str) -> int:
        data = "0x70a08231" + contracts.call_data(address)[2:]
        return int(await node.rpc("eth_call", {"to": token, "data": data}, "latest"), 16)

    assert [await tokens(address) for address in (TREASURY, rich, poor, over)] == [10_000_000, 0, 5_000_000, 1_000_000]
    assert await node.balance(TREASURY) == 0


async def test_what_it_will_not_do_is_one_clear_line(
    operator: Operator, node: Anvil, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(operator.folder)
    open_ = await operator.address(State.PROCESSING)
    await operator.address()
    await deep(node)
    wrong: list[tuple[tuple[str, ...], dict[str, str], str]] = [
        (("--yes", "--address", open_), {}, f"{open_} is not swept: the payment is not finished (payment pay_0)"),
        (("--yes", "--address", "0x12"), {}, "is not an address"),
        (("--yes", "--address", TREASURY), {}, "is no deposit address"),
        (("--yes",), {"CIRCLE_LAYER_TREASURY_ADDRESS": ""}, "CIRCLE_LAYER_TREASURY_ADDRESS is not set"),
        (("--yes",), {"CIRCLE_LAYER_TREASURY_ADDRESS": "0x" + "0" * 40}, "zero address"),
        (("--yes",), {"CIRCLE_LAYER_TREASURY_ADDRESS": BOOK.address(1)}, "one of the deposit addresses"),
        (("--yes",), {"CIRCLE_LAYER_CHAIN_ID": "1"}, "is on chain 28525, not on 1"),
        (("--yes",), {"CIRCLE_LAYER_MERCHANT_MNEMONIC": OTHER_MNEMONIC}, "the mnemonic is not that of the account"),
        (("--yes",), {"CIRCLE_LAYER_MERCHANT_MNEMONIC": "one two"}, "is not a BIP-39 mnemonic"),
        (("--yes",), {"CIRCLE_LAYER_MERCHANT_MNEMONIC": ""}, "nobody is there to be asked for it"),
        ((), {}, "nobody is there to ask"),
        (("--yes",), {"CIRCLE_LAYER_RPC_URL": ""}, "CIRCLE_LAYER_RPC_URL is not set"),
        (("--yes", "--gas-price", "20"), {}, "below the floor of 21 gwei"),
        (("--yes", "--gas-price", "much"), {}, "'much' is not a number"),
        (("--yes", "--min", "-1"), {}, "--min must be 0 or more"),
        (("--yes",), {"DATABASE_URL": "sqlite:////nowhere/layover.db"}, "there is no database"),
        (("--yes",), {"DATABASE_URL": "mysql://x/y"}, "DATABASE_URL does not lead to a database"),
    ]
    for arguments, changes, complaint in wrong:
        with monkeypatch.context() as patch:
            for name, value in operator.environment(**changes).items():
                patch.setenv(name, value)
            code = await asyncio.to_thread(command.main, arguments)  # a process each would take half a minute
        [line] = capsys.readouterr().err.splitlines()
        assert (code, line.startswith("sweep: "), complaint in line) == (2, True, True), line
        assert "one two" not in line
    assert await node.balance(TREASURY) == 0

    code, said = await operator.run("--yes", CIRCLE_LAYER_RPC_URL="http://127.0.0.1:9")
    assert (code, "the node http://127.0.0.1:9 failed" in said) == (1, True)


async def test_a_journal_of_another_chain_or_in_use_is_refused(operator: Operator, node: Anvil) -> None:
    await operator.address()
    await deep(node)
    header = {"kind": "header", "chain_id": 28525, "genesis": "0x" + "00" * 32}
    operator.journal.write_text(json.dumps(header) + "\n")
    code, said = await operator.run("--yes")
    assert (code, "belongs to another chain" in said) == (2, True)
    operator.journal.write_text("a letter home\n")
    code, said = await operator.run("--yes")
    assert (code, "is damaged, or is another kind of file" in said) == (2, True)
    assert await node.balance(TREASURY) == 0
