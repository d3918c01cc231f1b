"""The page behind the QR code of a ticket: is it genuine, and does it still stand?"""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from html import escape

from aiohttp import web


class TicketStatus(StrEnum):
    VALID = "valid"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class VerifiedTicket:
    """What whoever holds a ticket may see of it."""

    booking_reference: str
    traveller: str
    flights: tuple[str, ...]  # "Fri 27 Nov 2026 10:55 LOS → 16:35 LHR, XX123"
    status: TicketStatus
    issued_at: datetime


VerifyTicket = Callable[[str], Awaitable[VerifiedTicket | None]]
"""From a ticket's id, whose signature has been checked, to the ticket; None when it is not known (any more)."""

_STYLE = """
body{font:1.1rem/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1a1f2b}
main{max-width:32rem;margin:8vh auto;padding:2rem;background:#fff;border-radius:.75rem;border-top:.5rem solid #888}
main.valid{border-color:#1b7f4b}main.cancelled,main.unknown{border-color:#b3261e}
h1{margin:0 0 1rem;font-size:1.5rem}dt{color:#5b6472;font-size:.85rem}dd{margin:0 0 .75rem}
""".strip()
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HTML_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def ticket_page(ticket: VerifiedTicket | None) -> web.Response:
    """200 for a ticket of ours, valid or cancelled; 404 for anything else."""
    if ticket is None:
        return _page(404, "unknown", "This is not a ticket of ours", "<p>Its code is unknown or was changed.</p>")
    heading = "This ticket is valid" if ticket.status is TicketStatus.VALID else "This ticket was cancelled"
    flights = "".join(f"<dd>{escape(flight)}</dd>" for flight in ticket.flights)
    facts = (
        f"<dl><dt>Reference</dt><dd>{escape(ticket.booking_reference)}</dd>"
        f'<dt>Traveller</dt><dd dir="auto">{escape(ticket.traveller)}</dd>'
        f"<dt>Flights</dt>{flights}"
        f"<dt>Issued</dt><dd>{ticket.issued_at:%d %b %Y %H:%M} UTC</dd></dl>"
    )
    return _page(200, ticket.status, heading, facts)


def _page(status: int, kind: str, heading: str, body: str) -> web.Response:
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(heading)} · Layover</title><style>{_STYLE}</style></head>"
        f'<body><main class="{escape(kind)}"><h1>{escape(heading)}</h1>{body}</main></body></html>'
    )
    return web.Response(status=status, text=page, content_type="text/html", headers=HTML_HEADERS)
