"""Links that only we can have made: to stored files, for a while, and to a ticket's page of verification, for ever.

A signature is an HMAC-SHA256 over what the link is for, its subject and its expiry, so that one kind of link can
never be passed off as another.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from bot.documents import safe_filename
from runtime.clock import Clock
from runtime.errors import LayoverError

_MEDIA: Final = "media"
_TICKET: Final = "ticket"
_MEDIA_TAG_BYTES = 20
_CODE_TAG_BYTES = 10  # a code is read off paper as a QR: short, and still 2^80 guesses


class TamperedLink(LayoverError):
    def __init__(self) -> None:
        super().__init__("This link is not one of ours, or was changed on its way. Use it exactly as it was sent.")


class ExpiredLink(LayoverError):
    def __init__(self, expired_at: datetime) -> None:
        super().__init__(f"This link was good until {expired_at:%d %b %Y %H:%M} UTC. Ask in the chat for a new one.")
        self.expired_at = expired_at


class SignedLinks:
    """``base_url``: our public URL. ``secret``: at least 16 bytes, the same in every process and after a restart."""

    def __init__(self, base_url: str, secret: bytes, clock: Clock) -> None:
        if len(secret) < 16:
            raise ValueError("the secret for links needs at least 16 bytes")
        self._base_url = base_url.rstrip("/")
        self._secret = secret
        self._clock = clock

    def media_url(self, document_id: str, filename: str, lifetime: timedelta) -> str:
        """A link to a stored file. The filename at its end is for people and programs that look there."""
        expires = int((self._clock.now() + lifetime).timestamp())
        tag = self._tag(_MEDIA, document_id, str(expires), size=_MEDIA_TAG_BYTES)
        name = quote(safe_filename(filename), safe="")
        return f"{self._base_url}/media/{quote(document_id, safe='')}/{expires}/{tag}/{name}"

    def check_media(self, document_id: str, expires: str, tag: str) -> None:
        """Raises ``TamperedLink`` or ``ExpiredLink``; in this order, so that an old forgery is still a forgery."""
        if not _is_same(tag, self._tag(_MEDIA, document_id, expires, size=_MEDIA_TAG_BYTES)):
            raise TamperedLink
        expired_at = datetime.fromtimestamp(int(expires), UTC)
        if self._clock.now() >= expired_at:
            raise ExpiredLink(expired_at)

    def ticket_code(self, ticket: str) -> str:
        """What stands in ``/verify/<code>``: the ticket's id (letters, digits, ``_`` and ``-``) and our signature."""
        if not ticket or not all(c.isascii() and (c.isalnum() or c in "_-") for c in ticket):
            raise ValueError(f"a ticket id in a code is letters, digits, _ and -, not {ticket!r}")
        return f"{ticket}.{self._tag(_TICKET, ticket, size=_CODE_TAG_BYTES)}"

    def verify_url(self, ticket: str) -> str:
        return f"{self._base_url}/verify/{self.ticket_code(ticket)}"

    def ticket_of(self, code: str) -> str:
        """The ticket's id. Raises ``TamperedLink``."""
        ticket, _, tag = code.rpartition(".")
        if not ticket or not _is_same(tag, self._tag(_TICKET, ticket, size=_CODE_TAG_BYTES)):
            raise TamperedLink
        return ticket

    def _tag(self, *parts: str, size: int) -> str:
        message = b"\x00".join(part.encode("utf-8", "surrogatepass") for part in parts)
        return hmac.new(self._secret, message, hashlib.sha256).digest()[:size].hex()


def _is_same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())
