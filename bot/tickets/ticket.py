"""Everything that stands on a ticket, as values. ``bot.tickets.paper.render_ticket`` turns it into a PDF."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from bot.flights.model import Offer, Traveller


@dataclass(frozen=True, slots=True)
class Receipt:
    """How it was paid. What a method does not have is None or empty (a card has no block)."""

    method: str  # "On-chain", "USDC", "Card"
    amount: str  # as paid, for people: "1.00 CLAYER"
    paid_at: datetime
    network: str | None = None  # "Circle Layer Testnet"
    address: str | None = None  # the deposit address
    transactions: tuple[str, ...] = ()  # hashes, 0x…
    confirmations: int | None = None
    block: int | None = None
    explorer_url: str | None = None  # of the (first) transaction


@dataclass(frozen=True, slots=True)
class Ticket:
    """One traveller's paper of a booking as it was paid."""

    booking_reference: str  # ours: "QX4TZ7"
    airline_reference: str  # the airline source's
    ticket_number: str  # e-ticket, 13 digits
    traveller: Traveller
    position: int  # 1 for the first of the party
    offer: Offer  # as frozen by the booking: slices, party, total, conditions, is_sample
    receipt: Receipt
    verify_url: str  # what the QR says
    issued_at: datetime  # aware; also the PDF's creation date

    @property
    def filename(self) -> str:
        """``QX4TZ7-1-Ada-Obi.pdf``: ASCII, so that every channel and file system takes it."""
        plain = unicodedata.normalize("NFKD", self.traveller.full_name).encode("ascii", "ignore").decode()
        name = re.sub(r"[^A-Za-z]+", "-", plain).strip("-")[:40].strip("-")
        return "-".join(filter(None, [self.booking_reference, str(self.position), name])) + ".pdf"
