"""The ticket as a PDF: one traveller, the whole trip, and the receipt. Pure and slow (CPU): call it in a thread.

The same ticket gives the same bytes, so a paper that was lost can be made again.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from bot.flights.model import Segment, Slice, elapsed
from bot.tickets import wording
from bot.tickets.qr import draw_qr
from bot.tickets.sheet import (
    ACCENT,
    AMBER,
    BOTTOM,
    ICE,
    MARGIN,
    MUTED,
    NAVY,
    PALE,
    WARNING,
    WHITE,
    WIDTH,
    Sheet,
)
from bot.tickets.ticket import Ticket

SAMPLE = "SAMPLE – not valid for travel"

_BAND = 27.0  # mm, the airline's, at the top of the first page
_SEGMENT = 24.6
_CHANGE = 6.4
_SLICE_TITLE = 9.5
_COLUMN = 62.0  # departure and arrival; the flight stands between them
_RIGHT = MARGIN + WIDTH


def render_ticket(ticket: Ticket) -> bytes:
    """A4, as many pages as the trip needs (two connections there and back: two)."""
    sheet = Sheet(" ".join(_texts(ticket)), ticket.issued_at, lambda page: _foot(page, ticket))
    sheet.set_title(f"Ticket {ticket.booking_reference}, {wording.name(ticket.traveller)}")
    sheet.set_author("Layover")
    sheet.set_lang("en")
    sheet.add_page()
    y = _band(sheet, ticket)
    y = _passenger(sheet, ticket, y)
    for place, part in enumerate(ticket.offer.slices):
        y = _slice(sheet, ticket, part, place, y)
    y = _terms(sheet, ticket, y)
    _receipt(sheet, ticket, y)
    return bytes(sheet.output())


def _band(sheet: Sheet, ticket: Ticket) -> float:
    """Who flies, and the two codes that everybody asks for."""
    sheet.box(0, 0, 210, _BAND, NAVY)
    sheet.box(0, _BAND, 210, 1.2, ACCENT)
    sheet.put_fitted(MARGIN, 6.5, ticket.offer.airline, 19, 92, smallest=11, bold=True, colour=WHITE)
    sheet.put(MARGIN, 16.3, "Electronic ticket and receipt", 9.5, colour=ICE)
    for x, caption, code in (
        (_RIGHT - 76, "AIRLINE REFERENCE", ticket.airline_reference),
        (_RIGHT - 36, "BOOKING REFERENCE", ticket.booking_reference),
    ):
        sheet.put(x, 7.3, caption, 6.5, colour=ICE, spacing=0.35, width=36, align="R")
        sheet.put_fitted(x, 11, code, 19, 36, smallest=8, bold=True, colour=WHITE, align="R")
    if not ticket.offer.is_sample:
        return _BAND + 1.2
    sheet.box(0, _BAND + 1.2, 210, 8, AMBER)
    wide = sheet.put(MARGIN, _BAND + 2.9, SAMPLE, 10.5, bold=True, colour=WARNING)
    note = "Made from the offline timetable: these flights do not exist."
    sheet.put(MARGIN + wide + 4, _BAND + 3.3, note, 8.5, colour=WARNING)
    return _BAND + 9.2


def _passenger(sheet: Sheet, ticket: Ticket, y: float) -> float:
    top = y + 6
    qr = 31.0
    draw_qr(sheet, ticket.verify_url, _RIGHT - qr + 2.5, top - 3, qr)
    sheet.put(_RIGHT - qr + 2.5, top + qr - 4.2, "Scan to verify", 7, colour=MUTED, width=qr, align="C")
    sheet.label(MARGIN, top, "Passenger")
    name = sheet.put_whole(
        MARGIN, top + 3.6, wording.name(ticket.traveller), 20, WIDTH - qr - 6, smallest=13, bold=True
    )
    below = top + 4.6 + max(name, 8.5) + 1.6
    whom = wording.PASSENGERS[ticket.traveller.type]
    facts = (
        ("Traveller", f"{whom}, {ticket.position} of {ticket.offer.party.size}", 58.0),
        ("E-ticket number", wording.ticket_number(ticket.ticket_number), 44.0),
        ("Issued", wording.instant(ticket.issued_at), 45.0),
    )
    x = MARGIN
    for caption, value, width in facts:
        sheet.label(x, below, caption)
        sheet.put_fitted(x, below + 3.4, value, 10.5, width - 3, smallest=7, bold=True)
        x += width
    return max(below + 10, top + qr - 0.5)


def _slice(sheet: Sheet, ticket: Ticket, part: Slice, place: int, y: float) -> float:
    """One direction. Its title is never left alone at the foot of a page."""
    y = _room(sheet, ticket, y + 3.5, _SLICE_TITLE + _SEGMENT)
    first, last = part.segments[0], part.segments[-1]
    sheet.box(MARGIN, y, WIDTH, 8, PALE, radius=1.2)
    direction = ("Outbound", "Return")[place] if len(ticket.offer.slices) == 2 else "Flight"
    wide = sheet.put(MARGIN + 3, y + 2.1, direction.upper(), 8, bold=True, colour=ACCENT, spacing=0.4)
    summary = f"{wording.span(part.duration)}, {wording.stops(part)}"
    right = sheet.put(MARGIN, y + 2, summary, 8.5, colour=MUTED, width=WIDTH - 3, align="R")
    route = f"{wording.city(first.origin)} to {wording.city(last.destination)}, {wording.day(first.departs)}"
    sheet.put_fitted(MARGIN + wide + 7, y + 1.7, route, 10, WIDTH - wide - right - 16, smallest=7, bold=True)
    y += _SLICE_TITLE
    for place_in_slice, segment in enumerate(part.segments):
        if place_in_slice:
            y = _room(sheet, ticket, y, _CHANGE + _SEGMENT)
            y = _change(sheet, part.segments[place_in_slice - 1], segment, y)
        _segment(sheet, segment, y)
        y += _SEGMENT
    return y


def _segment(sheet: Sheet, segment: Segment, y: float) -> None:
    """Departure left, arrival right, what flies between them."""
    arrival = _RIGHT - _COLUMN
    for x, airport, moment, terminal in (
        (MARGIN, segment.origin, segment.departs, segment.origin_terminal),
        (arrival, segment.destination, segment.arrives, segment.destination_terminal),
    ):
        code = sheet.put(x, y + 0.6, airport.iata, 21, bold=True, colour=NAVY)
        time = sheet.put(x + code + 3.5, y + 0.6, wording.clock(moment), 21)
        if x == arrival and (later := wording.day_change(segment)):
            sheet.put(x + code + time + 4.5, y + 1, later, 9, bold=True, colour=ACCENT)
        sheet.put_fitted(
            x, y + 9.9, f"{wording.short_day(moment)} · {wording.zone(moment)}", 8.5, _COLUMN, smallest=6.5
        )
        sheet.put_fitted(x, y + 14.4, wording.city(airport), 9.5, _COLUMN, smallest=7, bold=True)
        where = ", ".join(filter(None, [airport.name if airport.city else "", wording.terminal(terminal)]))
        sheet.put_fitted(x, y + 18.8, where, 8, _COLUMN, smallest=6.5, colour=MUTED)
    middle = MARGIN + _COLUMN + 3
    width = arrival - middle - 6
    sheet.put(middle, y + 0.4, segment.flight, 10, bold=True, width=width, align="C")
    sheet.flight_line(middle, y + 7.4, width)
    sheet.put(middle, y + 10, wording.span(segment.duration), 8.5, width=width, align="C")
    sheet.put_fitted(middle, y + 14.6, segment.carrier_name, 8, width, smallest=6, colour=MUTED, align="C")
    sheet.put_fitted(middle, y + 18.6, wording.CABINS[segment.cabin], 8, width, smallest=6, colour=MUTED, align="C")


def _change(sheet: Sheet, before: Segment, after: Segment, y: float) -> float:
    """Where and for how long one changes planes."""
    wait = wording.span(elapsed(before.arrives, after.departs))
    text = f"Change planes in {wording.city(after.origin)} ({after.origin.iata}): {wait}"
    wide = sheet.put(MARGIN, y + 0.6, text, 8, colour=ACCENT, width=WIDTH, align="C")
    gap = (WIDTH - wide) / 2 - 4
    sheet.rule(y + 2.4, MARGIN, gap)
    sheet.rule(y + 2.4, _RIGHT - gap, gap)
    return y + _CHANGE


def _terms(sheet: Sheet, ticket: Ticket, y: float) -> float:
    offer = ticket.offer
    seated = [segment.checked_bags for part in offer.slices for segment in part.segments]
    rows = [
        ("Checked baggage", wording.bags(min(seated), max(seated))),
        ("Refund and changes", f"{wording.refund(offer)}. {wording.change(offer)}."),
        (
            "Price for all",
            f"{offer.total} for {wording.party(offer.party)}: all flights on this ticket, taxes included",
        ),
    ]
    return _table(sheet, ticket, "Fare", [(caption, value, "") for caption, value in rows], y)


def _receipt(sheet: Sheet, ticket: Ticket, y: float) -> float:
    receipt = ticket.receipt
    method = f"{receipt.method}, {receipt.network}" if receipt.network else receipt.method
    rows = [("Paid", f"{receipt.amount}, {wording.instant(receipt.paid_at)}", ""), ("Method", method, "")]
    if receipt.address:
        rows.append(("Deposit address", receipt.address, ""))
    for place, transaction in enumerate(receipt.transactions):
        link = receipt.explorer_url if receipt.explorer_url and not place else ""
        rows.append(("Transaction", transaction, link))
    proof = [f"block {receipt.block:,}" if receipt.block is not None else ""]
    proof.append(f"{receipt.confirmations} confirmations" if receipt.confirmations is not None else "")
    if any(proof):
        rows.append(("Confirmed", ", ".join(filter(None, proof)), ""))
    if receipt.explorer_url:
        rows.append(("Explorer", receipt.explorer_url, receipt.explorer_url))
    return _table(sheet, ticket, "Receipt", rows, y)


def _table(sheet: Sheet, ticket: Ticket, title: str, rows: list[tuple[str, str, str]], y: float) -> float:
    """Captions left, values right: whole, on as many lines as they need. Rows are caption, value, link."""
    y = _room(sheet, ticket, y + 3.5, 5 + 5.9 * len(rows))
    sheet.put(MARGIN, y, title.upper(), 8, bold=True, colour=ACCENT, spacing=0.4)
    y += 5
    for caption, value, link in rows:
        sheet.rule(y)
        sheet.put(MARGIN, y + 1.2, caption, 8.5, colour=MUTED)
        height = sheet.put_whole(MARGIN + 36, y + 1.1, value, 8.5, WIDTH - 36, smallest=6.5)
        if link:
            sheet.link(MARGIN + 36, y + 1.1, WIDTH - 36, height, link)
        y += max(height, 3.6) + 2.1
    sheet.rule(y)
    return y


def _room(sheet: Sheet, ticket: Ticket, y: float, height: float) -> float:
    """``y``, or the top of a new page where that much does not fit any more."""
    if y + height <= BOTTOM:
        return y
    sheet.add_page()
    sheet.box(0, 0, 210, 13, NAVY)
    sheet.put_fitted(MARGIN, 4, ticket.offer.airline, 10.5, 70, smallest=8, bold=True, colour=WHITE)
    reference = sheet.put(MARGIN, 4, ticket.booking_reference, 10.5, bold=True, colour=WHITE, width=WIDTH, align="R")
    room = WIDTH - 74 - reference
    sheet.put_fitted(MARGIN + 70, 4.2, wording.name(ticket.traveller), 9.5, room, smallest=7, colour=ICE, align="R")
    return 19.0


def _foot(sheet: Sheet, ticket: Ticket) -> None:
    """What every page ends with, and the stamp across it where it is a sample."""
    note = "All times are local to each airport. Check-in closes before departure: ask your airline when."
    if ticket.offer.is_sample:
        sheet.watermark(SAMPLE)
        note = f"{SAMPLE}. All times are local to each airport."
    sheet.rule(BOTTOM + 3)
    sheet.put(MARGIN, BOTTOM + 4.4, note, 7, colour=MUTED)
    sheet.page_number(BOTTOM + 4.4, "Issued by Layover")


def _texts(value: Any) -> Iterator[str]:
    """Every text on a ticket, whatever holds it, to know which fonts are needed."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _texts(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _texts(getattr(value, field.name))
