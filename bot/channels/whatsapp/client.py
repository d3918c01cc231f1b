"""Twilio's REST API through its SDK, over the process's own aiohttp session.

The SDK's asynchronous HTTP client ignores its timeout and brings a session of its own; this one has neither fault.
"""

import logging
from typing import Any

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from runtime.errors import LayoverError

TWILIO_API = "https://api.twilio.com"
ANSWER_SECONDS = 12.0  # well below the courier's own bound, so that a hang is seen here and known as an outage


class TwilioRefused(LayoverError):
    """Twilio answered with an error: ``status`` (HTTP), ``code`` (https://www.twilio.com/docs/api/errors), if any."""

    def __init__(self, status: int, code: int | None, reason: str, retry_after: float | None = None) -> None:
        super().__init__(f"Twilio refused the message with HTTP {status}, error {code}: {reason}")
        self.status = status
        self.code = code
        self.reason = reason
        self.retry_after = retry_after


class TwilioUnavailable(LayoverError):
    """The network, a 5xx or an answer that is not JSON. Whether the message was taken is not known."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Twilio did not answer as it should ({reason}); it is tried again.")


class SessionHttpClient(AsyncHttpClient):  # type: ignore[misc]  # the SDK is untyped
    """The SDK's requests over a shared session, to ``base_url`` instead of Twilio's where one is given."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str | None, answer_seconds: float) -> None:
        super().__init__(logging.getLogger("twilio"), True, answer_seconds)
        self._session = session
        self._base_url = base_url.rstrip("/") if base_url else None

    async def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the SDK's signature
        allow_redirects: bool = False,
    ) -> Response:
        if self._base_url is not None:
            url = url.replace(TWILIO_API, self._base_url, 1)
        is_json = (headers or {}).get("Content-Type", "").endswith("json")
        body: dict[str, Any] = {"json": data} if is_json else {"data": _fields(data)}
        async with self._session.request(
            method.upper(),
            url,
            params=_fields(params),
            headers={**(headers or {}), **({"Authorization": aiohttp.encode_basic_auth(*auth)} if auth else {})},
            timeout=aiohttp.ClientTimeout(total=timeout or self.timeout),
            allow_redirects=allow_redirects,
            **body,
        ) as answer:
            return Response(answer.status, await answer.text(errors="replace"), answer.headers)


class TwilioMessages:
    """Sends WhatsApp messages for one account. ``sender``: our number in E.164, with or without ``whatsapp:``."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        account_sid: str,
        auth_token: str,
        sender: str,
        status_callback: str,
        base_url: str | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        http = SessionHttpClient(session, base_url, answer_seconds)
        self._client = Client(account_sid, auth_token, http_client=http)
        self._sender = whatsapp_address(sender)
        self._status_callback = status_callback

    async def send(self, to: str, *, body: str = "", media_url: str | None = None) -> str:
        """The message's sid. ``to``: E.164. Raises ``TwilioRefused`` or ``TwilioUnavailable``."""
        fields: dict[str, Any] = {"body": body} if body else {}
        if media_url is not None:
            fields["media_url"] = [media_url]
        return await self._create(to, fields)

    async def send_template(self, to: str, content_sid: str, variables: str) -> str:
        """As ``send``, by an approved template. ``variables``: JSON of its numbered placeholders."""
        return await self._create(to, {"content_sid": content_sid, "content_variables": variables})

    async def _create(self, to: str, fields: dict[str, Any]) -> str:
        try:
            message = await self._client.messages.create_async(
                to=whatsapp_address(to), from_=self._sender, status_callback=self._status_callback, **fields
            )
        except TwilioRestException as error:
            raise _refusal(error.status, error.code, error.msg) from error
        except TwilioServiceException as error:
            raise _refusal(error.status, error.code, error.title) from error
        except (TimeoutError, TwilioException, aiohttp.ClientError, ValueError) as error:
            raise TwilioUnavailable(type(error).__name__) from error
        if not message.sid:
            raise TwilioUnavailable("an answer without a message sid")
        return str(message.sid)


def whatsapp_address(number: str) -> str:
    return number if number.startswith("whatsapp:") else f"whatsapp:{number}"


def _refusal(status: int, code: int | None, reason: str) -> TwilioRefused | TwilioUnavailable:
    return TwilioUnavailable(f"HTTP {status}") if status >= 500 else TwilioRefused(status, code, reason)


def _fields(data: dict[str, object] | None) -> list[tuple[str, str]]:
    """Form fields; a list is a field that repeats (``MediaUrl``)."""
    fields: list[tuple[str, str]] = []
    for name, value in (data or {}).items():
        fields.extend((name, str(one)) for one in (value if isinstance(value, list) else [value]))
    return fields
