"""From a paid booking to tickets in the traveller's hands: a durable job whose every step may be repeated."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from bot import booking_store
from bot.booking import Booking, BookingState
from bot.conversation.facts import ChatFacts
from bot.documents import Document, Documents
from bot.flights.codec import dump, load
from bot.flights.model import FlightSource, Offer, OfferGone, Order, OrderState
from bot.metrics import BusinessMetrics
from bot.tickets.ticket import Receipt, Ticket
from bot.web.links import SignedLinks
from bot.web.verification import TicketStatus, VerifiedTicket
from indexer.model import ChainWatch, Deposit
from payments import store as payment_store
from payments.payment import Payment
from payments.treasury import audit
from runtime.backoff import Backoff
from runtime.clock import Clock
from runtime.database import Database
from runtime.errors import LayoverError
from runtime.jobs import Job, StepFailed

log = structlog.get_logger()

FULFIL = "fulfil"
AT_ONCE = Backoff(first=0.5, factor=2.0, ceiling=8.0, attempts=6)  # about 15 seconds; then the traveller is told
PATIENCE = Backoff(first=5.0, factor=2.0, ceiling=300.0, attempts=100)  # an airline may be down for hours


class NotPaidAnyMore(LayoverError):
    def __init__(self, payment: Payment) -> None:
        super().__init__(f"payment {payment.id} is {payment.state}: nothing is ordered until it is paid again")


class Fulfilment:
    """The job's body and its steps. ``network``: how the chain is called on a receipt.

    ``at_once``: how the order is tried before the traveller is told of a delay; ``patience``: how afterwards.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        source: FlightSource,
        documents: Documents,
        links: SignedLinks,
        facts: ChatFacts,
        chain: ChainWatch | None,
        network: str,
        explorer_url: Callable[[str], str | None],
        metrics: BusinessMetrics,
        at_once: Backoff = AT_ONCE,
        patience: Backoff = PATIENCE,
    ) -> None:
        self._database = database
        self._clock = clock
        self._source = source
        self._documents = documents
        self._links = links
        self._facts = facts
        self._chain = chain
        self._network = network
        self._explorer_url = explorer_url
        self._metrics = metrics
        self._at_once = at_once
        self._patience = patience

    async def run(self, job: Job, payload: dict[str, Any]) -> None:
        """Order, then papers. Neither an airline that is slow nor a fare that is gone is met with silence."""
        booking_id = payload["booking_id"]
        try:
            ordered = await job.step("order", self.order, booking_id, backoff=self._at_once)
        except StepFailed:
            await job.step("tell_delay", self.tell_delay, booking_id)
            ordered = await job.step("order_later", self.order, booking_id, backoff=self._patience)
        if "refused" in ordered:
            await job.step("refuse", self.refuse, booking_id, ordered["refused"])
        else:
            await job.step("papers", self.papers, booking_id, ordered["order"])

    async def order(self, booking_id: str) -> dict[str, Any]:
        """Have the airline ticket it. An order whose answer was lost is found, never sent twice.

        Raises NotPaidAnyMore while the chain has taken the money back: nothing is ordered for money that is not there.
        """
        booking = await self._booking(booking_id)
        payment = await self._payment(booking)
        if not payment.is_paid:
            raise NotPaidAnyMore(payment)
        order = await self._source.find(booking_id)
        if order is None or order.state is not OrderState.CONFIRMED:
            try:
                order = await self._source.confirm(booking_id, booking.offer, booking.travellers, booking.contact)
            except OfferGone as error:
                return {"refused": str(error)}
        log.info("order_confirmed", payment_id=booking.payment_id, booking_id=booking_id, order_id=order.id)
        return {"order": dump(order)}

    async def tell_delay(self, booking_id: str) -> None:
        booking = await self._booking(booking_id)
        async with self._database.transaction() as tx:
            await self._facts.ticketing_delayed(tx, booking)

    async def refuse(self, booking_id: str, why: str) -> None:
        booking = await self._booking(booking_id)
        async with self._database.transaction() as tx:
            if await booking_store.mark_refused(tx, booking_id):
                await audit.record(tx, self._clock.now(), "fulfilment", "booking_refused", booking_id, {"why": why})
                await self._facts.ticketing_failed(tx, booking, why)
                tx.after_commit(self._metrics.bookings.labels("refused").inc)
        log.error("booking_refused", payment_id=booking.payment_id, booking_id=booking_id, why=why)

    async def papers(self, booking_id: str, ordered: dict[str, Any]) -> None:
        """Make a PDF for each traveller, store them and have them sent: all of it in one transaction, once."""
        booking = await self._booking(booking_id)
        order = load(Order, ordered)
        tickets = await self._tickets(booking, order)
        rendered = [(ticket, await asyncio.to_thread(_render, ticket)) for ticket in tickets]
        now = self._clock.now()
        async with self._database.transaction() as tx:
            if not await booking_store.mark_ticketed(tx, booking_id, order, now):
                return
            papers = []
            for ticket, pdf in rendered:
                document_id = f"ticket:{booking_id}:{ticket.position}"
                paper = Document(
                    document_id, booking.chat, ticket.filename, "application/pdf", pdf, now, booking=booking_id
                )
                await self._documents.put(tx, paper)
                papers.append((document_id, ticket.filename))
            ticketed = await booking_store.get(tx.connection, booking_id)
            assert ticketed is not None
            await audit.record(tx, now, "fulfilment", "booking_ticketed", booking_id, {"order": order.id})
            await self._facts.ticketed(tx, ticketed, papers)
            tx.after_commit(self._metrics.bookings.labels("ticketed").inc)
        log.info("booking_ticketed", payment_id=booking.payment_id, booking_id=booking_id, tickets=len(papers))

    async def _tickets(self, booking: Booking, order: Order) -> list[Ticket]:
        receipt = await self._receipt(booking)
        return [
            Ticket(
                booking_reference=booking.reference,
                airline_reference=order.airline_reference,
                ticket_number=number,
                traveller=traveller,
                position=position,
                offer=booking.offer,
                receipt=receipt,
                verify_url=self._links.verify_url(f"{booking.id}-{position}"),
                issued_at=receipt.paid_at,
            )
            for position, (traveller, number) in enumerate(
                zip(booking.travellers, order.ticket_numbers, strict=True), start=1
            )
        ]

    async def _receipt(self, booking: Booking) -> Receipt:
        payment = await self._payment(booking)
        async with self._database.snapshot() as connection:
            deposits: list[Deposit] = []
            if self._chain is not None and payment.address is not None:
                deposits = list(await self._chain.deposits(connection, payment.address))
        return self._chain_receipt(payment, deposits)

    def _chain_receipt(self, payment: Payment, deposits: list[Deposit]) -> Receipt:
        first = payment.tx_hashes[0] if payment.tx_hashes else None
        return Receipt(
            method="On-chain",
            amount=payment.quote.coin.text(payment.confirmed),
            paid_at=max((deposit.mined_at for deposit in deposits), default=self._clock.now()),
            network=self._network,
            address=payment.address,
            transactions=payment.tx_hashes,
            confirmations=payment.confirmations,
            block=max((deposit.block.number for deposit in deposits), default=None),
            explorer_url=self._explorer_url(first) if first else None,
        )

    async def _booking(self, booking_id: str) -> Booking:
        async with self._database.snapshot() as connection:
            booking = await booking_store.get(connection, booking_id)
        assert booking is not None, f"booking {booking_id} does not exist"
        return booking

    async def _payment(self, booking: Booking) -> Payment:
        assert booking.payment_id is not None, f"booking {booking.id} is fulfilled unpaid"
        async with self._database.snapshot() as connection:
            payment = await payment_store.get(connection, booking.payment_id)
        assert payment is not None
        return payment

    async def verify(self, ticket_id: str) -> VerifiedTicket | None:
        """What the page behind a ticket's QR code shows."""
        booking_id, _, position = ticket_id.rpartition("-")
        async with self._database.snapshot() as connection:
            booking = await booking_store.get(connection, booking_id)
        if booking is None or booking.ticketed_at is None or not position.isdigit():
            return None
        if not 1 <= int(position) <= len(booking.travellers):
            return None
        return VerifiedTicket(
            booking_reference=booking.reference,
            traveller=booking.travellers[int(position) - 1].full_name,
            flights=tuple(_flights(booking.offer)),
            status=TicketStatus.VALID if booking.state is BookingState.TICKETED else TicketStatus.CANCELLED,
            issued_at=booking.ticketed_at,
        )


def _render(ticket: Ticket) -> bytes:
    """Its libraries take 20 MB: they are loaded with the first ticket."""
    from bot.tickets.paper import render_ticket

    return render_ticket(ticket)


def _flights(offer: Offer) -> list[str]:
    return [
        f"{segment.departs:%a %d %b %Y %H:%M} {segment.origin.iata} → {segment.arrives:%H:%M} "
        f"{segment.destination.iata}, {segment.flight}"
        for part in offer.slices
        for segment in part.segments
    ]
