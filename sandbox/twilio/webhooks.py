"""Twilio's calls to the application: signed, timed, and repeated only where the connection fails.

Signature: https://www.twilio.com/docs/usage/security#validating-requests. Retries and time limits may be set in the
URL's fragment (``#rc=3&rp=all``): https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs, urldefrag
from uuid import uuid4

import aiohttp
from yarl import URL

Form = Sequence[tuple[str, str]]


class Signature(StrEnum):
    VALID = "valid"
    MISSING = "missing"
    WRONG = "wrong"  # well-formed, of another token


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """What the application answered. ``status`` None: it could not be reached, ``body`` says why."""

    status: int | None
    body: str

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Alert:
    """An entry of Twilio's debugger. 11200: the application did not answer well; 12100: its answer is not XML."""

    code: int
    url: str
    problem: str


@dataclass(frozen=True, slots=True)
class _Policy:
    retries: int
    retried: frozenset[str]  # of ct (connect), rt (read), 4xx, 5xx
    read_seconds: float

    @classmethod
    def of(cls, fragment: str) -> "_Policy":
        given = {name: values[-1] for name, values in parse_qs(fragment).items()}
        kinds = frozenset(given.get("rp", "ct").split(","))
        kinds = frozenset({"ct", "rt", "4xx", "5xx"}) if "all" in kinds else kinds
        return cls(int(given.get("rc", "1")), kinds, int(given.get("rt", "15000")) / 1000)


def sign(token: str, url: str, form: Form) -> str:
    """The value of ``X-Twilio-Signature`` for a form posted to this URL (without its fragment)."""
    text = url + "".join(name + value for name, value in sorted(set(form)))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


class Webhooks:
    """Posts forms to the application. ``alerts``: what went wrong, as Twilio's debugger would list it."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.session: aiohttp.ClientSession | None = None
        self.alerts: list[Alert] = []

    async def post(self, url: str, form: Form, signature: Signature = Signature.VALID) -> WebhookAnswer:
        target, fragment = urldefrag(url)
        policy = _Policy.of(fragment)
        headers = {"I-Twilio-Idempotency-Token": str(uuid4()), "User-Agent": "TwilioProxy/1.1"}
        if signature is not Signature.MISSING:
            token = self._token if signature is Signature.VALID else f"not {self._token}"
            headers["X-Twilio-Signature"] = sign(token, target, form)
        for left in range(policy.retries, -1, -1):
            answer, failed = await self._attempt(target, form, headers, policy.read_seconds)
            if failed not in policy.retried or not left:
                break
        if not answer.accepted:
            self.alerts.append(Alert(11200, target, f"{answer.status} {answer.body[:200]}"))
        return answer

    async def _attempt(
        self, url: str, form: Form, headers: dict[str, str], seconds: float
    ) -> tuple[WebhookAnswer, str | None]:
        """The answer, and which policy covers its failure (None: it did not fail)."""
        assert self.session is not None, "the server is not running"
        limits = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self.session.post(
                URL(url, encoded=True), data=list(form), headers=headers, timeout=limits
            ) as response:
                answer = WebhookAnswer(response.status, await response.text())
                kind = None if answer.accepted else f"{response.status // 100}xx"
                return answer, kind
        except aiohttp.ClientConnectorError as error:
            return WebhookAnswer(None, str(error)), "ct"
        except (aiohttp.ClientError, TimeoutError) as error:
            return WebhookAnswer(None, f"{type(error).__name__} {error}"), "rt"
