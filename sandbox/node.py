"""A node's JSON-RPC, as tests and scripts speak it: one call at a time, plain values in and out."""

import asyncio
import contextlib
import itertools
from typing import Any

import aiohttp


class RpcError(Exception):
    """The node answered a call with an error."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.code = code
        self.message = message


class NotANode(Exception):
    """What answered does not speak JSON-RPC."""


class Node:
    """An Ethereum node reached over HTTP."""

    def __init__(self, http_url: str, http: aiohttp.ClientSession) -> None:
        self._http_url = http_url
        self._http = http
        self._ids = itertools.count(1)
        self._sending = asyncio.Lock()

    @property
    def http_url(self) -> str:
        return self._http_url

    async def rpc(self, method: str, *params: Any) -> Any:
        """One call; the decoded result.

        Raises RpcError, NotANode, or aiohttp.ClientError and TimeoutError where no answer comes.
        """
        call = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        # Anvil gives two transactions of an account that come at the same moment the same nonce, and refuses one.
        turn = self._sending if method == "eth_sendTransaction" else contextlib.nullcontext()
        async with turn, self._http.post(self.http_url, json=call) as response:
            try:
                answer = await response.json(content_type=None)
                if error := answer.get("error"):
                    raise RpcError(method, error["code"], error["message"])
                return answer["result"]
            except (ValueError, AttributeError, KeyError, TypeError):
                raise NotANode(
                    f"{self.http_url} answered {method} with HTTP {response.status} and no JSON-RPC"
                ) from None

    async def accounts(self) -> list[str]:
        """The accounts the node signs for, checksummed."""
        found: list[str] = await self.rpc("eth_accounts")
        return found

    async def block_number(self) -> int:
        return int(await self.rpc("eth_blockNumber"), 16)

    async def balance(self, address: str, block: str = "latest") -> int:
        """In wei."""
        return int(await self.rpc("eth_getBalance", address, block), 16)

    async def send(self, recipient: str, wei: int, *, sender: str | None = None) -> str:
        """A plain transfer from one of its accounts (the first by default). The hash, before it is in a block."""
        sender = sender or (await self.accounts())[0]
        sent: str = await self.rpc("eth_sendTransaction", {"from": sender, "to": recipient, "value": hex(wei)})
        return sent
