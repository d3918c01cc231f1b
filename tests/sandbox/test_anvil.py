"""Anvil as a child process: it can fail as real nodes do, and leaves neither files nor processes behind."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from sandbox import anvil_binary
from sandbox.anvil import Anvil, AnvilFailed
from sandbox.contracts import receipt
from sandbox.node import Node

SOMEBODY = "0x00000000000000000000000000000000C0fFee01"


async def test_it_is_circle_layer_s_chain_with_funded_accounts() -> None:
    async with Anvil.start(accounts=3) as node:
        assert int(await node.rpc("eth_chainId"), 16) == 28525
        accounts = await node.accounts()
        assert accounts[0] == "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
        assert [await node.balance(account) for account in accounts] == [10_000 * 10**18] * 3


async def test_it_writes_nothing_to_disk_and_still_serves_old_balances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    async with Anvil.start(history=300) as node:
        await node.mine(10)
        await receipt(node, await node.send(SOMEBODY, 7))
        await node.mine(250)
        assert [await node.balance(SOMEBODY, hex(block)) for block in (10, 11)] == [0, 7]
        assert os.listdir(tmp_path) == []


async def test_it_dies_with_the_process_that_started_it() -> None:
    program = """
import asyncio
from sandbox.anvil import Anvil
async def main():
    async with Anvil.start() as node:
        print(node.http_url, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    url = (await parent.stdout.readline()).decode().strip()
    async with aiohttp.ClientSession() as http:
        assert await Node(url, http).block_number() == 0
        parent.send_signal(signal.SIGKILL)
        await parent.wait()
        await _until(lambda: _falls_silent(Node(url, http)))


async def test_a_killed_node_starts_again_where_its_state_file_ends(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    async with Anvil.start(state_file=state) as node:
        port = node.port
        await node.send(SOMEBODY, 5)
        await _until(lambda: asyncio.to_thread(state.exists))
        await node.kill()
        assert await _falls_silent(node)
        await node.restart()
        assert (node.port, await node.balance(SOMEBODY)) == (port, 5)


async def test_without_a_state_file_a_restarted_node_begins_anew() -> None:
    async with Anvil.start() as node:
        await node.mine(5)
        await node.restart()
        assert await node.block_number() == 0


async def test_a_paused_node_is_silent_until_it_resumes() -> None:
    async with Anvil.start() as node:
        node.pause()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(node.block_number(), 0.3)
        node.resume()
        assert await node.block_number() == 0


async def test_a_node_that_does_not_start_shows_what_it_said(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text("no state")
    with pytest.raises(AnvilFailed, match="It said:"):
        async with Anvil.start(state_file=state):
            pass


async def _falls_silent(node: Node) -> bool:
    try:
        await node.block_number()
    except aiohttp.ClientError:
        return True
    return False


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again, for 10 seconds at most."""
    async with asyncio.timeout(10):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


@pytest.mark.long
@pytest.mark.parametrize("npm", ["of this machine", "from the Python package"])
def test_it_is_brought_into_the_checkout_and_nowhere_else(
    npm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, checkout = tmp_path / "home", tmp_path / "checkout"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    if npm == "from the Python package":
        monkeypatch.setenv("PATH", str(home))
    elif shutil.which("npm") is None:
        pytest.skip("this machine has no npm")
    program = anvil_binary.anvil_binary(checkout=checkout)
    assert b"1.7.1" in subprocess.run([program, "--version"], check=True, capture_output=True).stdout
    assert list(home.iterdir()) == []
    assert sorted(os.listdir(checkout / ".layover" / "anvil")) == [".lock", program.parents[4].name]
