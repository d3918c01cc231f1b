"""The real Twilio SDK, pointed at the sandbox."""

import asyncio
from typing import Any

from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from sandbox.world import World

_HOSTS = ("https://api.twilio.com", "https://content.twilio.com")


class _Rewriting(TwilioHttpClient):  # type: ignore[misc]
    """Sends to the sandbox what is meant for Twilio: its hosts are told apart by their paths."""

    def __init__(self, base: str) -> None:
        super().__init__(timeout=10)
        self._base = base
        self.session.trust_env = False

    def request(self, method: str, uri: str, *rest: Any, **named: Any) -> Any:
        for host in _HOSTS:
            uri = uri.replace(host, self._base)
        return super().request(method, uri, *rest, **named)


class TwilioClient:
    """The SDK's calls, each in a thread."""

    def __init__(self, world: World, *, token: str | None = None) -> None:
        self.sdk = Client(world.twilio_sid, token or world.twilio_token, http_client=_Rewriting(world.twilio_url))
        self._from = f"whatsapp:{world.whatsapp_number}"

    async def send(self, number: str, body: str | None = None, **fields: Any) -> Any:
        given = (
            {"from_": self._from, "to": f"whatsapp:{number}"} | ({"body": body} if body is not None else {}) | fields
        )
        return await asyncio.to_thread(lambda: self.sdk.messages.create(**given))

    async def fetch(self, sid: str) -> Any:
        return await asyncio.to_thread(lambda: self.sdk.messages(sid).fetch())

    async def listed(self, **fields: Any) -> Any:
        return await asyncio.to_thread(lambda: self.sdk.messages.list(**fields))

    async def create_content(self, **fields: Any) -> str:
        """The new content's sid."""
        contents = self.sdk.content.v1.contents
        request = contents.ContentCreateRequest(fields)
        return str((await asyncio.to_thread(lambda: contents.create(request))).sid)

    async def approve(self, sid: str, name: str) -> str:
        """Asks for WhatsApp's approval; its status."""
        approvals = self.sdk.content.v1.contents(sid).approval_create
        request = approvals.ContentApprovalRequest({"name": name, "category": "UTILITY"})
        return str((await asyncio.to_thread(lambda: approvals.create(request))).status)
