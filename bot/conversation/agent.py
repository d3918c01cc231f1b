"""Where the conversation meets the database: a fact in, and in the same transaction the session and its effects out."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from bot import booking_store
from bot.booking import Booking, BookingState
from bot.channels.delivery import post_message
from bot.channels.model import Attachment, AttachmentKind, Button, ChatId, Outbound
from bot.conversation import store
from bot.conversation.context import Context, PayingFacts
from bot.conversation.details import TravellerDraft
from bot.conversation.effects import (
    CancelPayment,
    Effect,
    Say,
    SayQr,
    ShowTrips,
    ShowTyping,
    StartPayment,
    StartSearch,
    Step,
)
from bot.conversation.events import Event, Ticketed
from bot.conversation.facts import ReadFact, read_fact
from bot.conversation.flow import advance
from bot.conversation.phrases import common
from bot.conversation.phrases.trips import trip_rows
from bot.conversation.session import Session, Stage
from bot.conversation.turn import ahead, say, token
from bot.documents import Document, Documents
from bot.flights.codec import UnreadableDocument
from bot.flights.model import Contact, Offer, Traveller
from bot.flights.places import Gazetteer
from bot.tickets.qr import payment_qr
from payments import store as payment_store
from payments.checkout import Checkout
from runtime.clock import Clock, Ids
from runtime.database import Transaction
from runtime.inbox import Fact
from runtime.outbox import Outbox

log = structlog.get_logger()

NEEDS_OFFERS = frozenset({Stage.TRIP, Stage.SEARCHING, Stage.OFFERS, Stage.TRAVELLERS, Stage.METHOD})


@dataclass(frozen=True, slots=True)
class _Chat:
    """The one conversation a fact belongs to, while it is answered."""

    tx: Transaction
    id: ChatId
    generation: int  # of the buttons that are shown


class Agent:
    """The inbox's handler of chats. ``wake_search`` is called when a search has been stored."""

    def __init__(
        self,
        *,
        clock: Clock,
        ids: Ids,
        outbox: Outbox,
        documents: Documents,
        checkout: Checkout,
        gazetteer: Gazetteer,
        paying: PayingFacts,
        wake_search: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._outbox = outbox
        self._documents = documents
        self._checkout = checkout
        self._gazetteer = gazetteer
        self._paying = paying
        self._wake_search = wake_search

    async def handle(self, tx: Transaction, fact: Fact) -> None:
        """Answer one fact of a chat's lane."""
        chat = ChatId.parse(fact.lane)
        read = await read_fact(tx.connection, fact)
        session, lost = await self._session(tx, fact.lane)
        if read.name and read.name != session.name:
            session = replace(session, name=read.name)
        step = advance(session, read.event, await self._context(tx, session, read.event))
        if lost:
            step = ahead(step, say(common.LOST_THREAD))
        await self._carry_out(_Chat(tx, chat, step.session.generation), step, read)

    async def _session(self, tx: Transaction, lane: str) -> tuple[Session, bool]:
        """The chat's session; a fresh one, and True, where what is stored cannot be read: one bad row silences
        nobody for good."""
        try:
            return await store.load_session(tx.connection, lane) or Session(), False
        except UnreadableDocument as error:
            log.error("session_unreadable", chat=lane, why=str(error))
            # Higher than any that was counted: the buttons of before stay old ones.
            return Session(generation=int(self._clock.now().timestamp())), True

    async def _context(self, tx: Transaction, session: Session, event: Event) -> Context:
        offers: tuple[Offer, ...] = ()
        if session.search_id is not None and session.stage in NEEDS_OFFERS:
            offers = await self._offers(tx, session.search_id)
        is_sample = False
        if isinstance(event, Ticketed):
            booking = await booking_store.get(tx.connection, event.booking_id)
            is_sample = booking is not None and booking.offer.is_sample
        payment = None
        if session.payment_id is not None:
            payment = await payment_store.get(tx.connection, session.payment_id)
        return Context(self._clock.now(), self._gazetteer, self._ids, self._paying, offers, payment, is_sample)

    async def _offers(self, tx: Transaction, search_id: str) -> tuple[Offer, ...]:
        """None where they cannot be read: then they are searched again."""
        try:
            return await store.offers_of(tx.connection, search_id)
        except UnreadableDocument as error:
            log.error("offers_unreadable", search_id=search_id, why=str(error))
            return ()

    async def _carry_out(self, chat: _Chat, step: Step, read: ReadFact) -> None:
        if read.callback_id is not None:
            await self._post(chat, Outbound(chat.id, answers_callback=read.callback_id))
        session = step.session
        for effect in step.effects:
            if isinstance(effect, StartPayment):
                payment_id = await self._start_payment(chat, effect)
                session = replace(session, payment_id=payment_id)
            else:
                await self._do(chat, effect)
        await store.save_session(chat.tx, str(chat.id), session, self._clock.now())

    async def _do(self, chat: _Chat, effect: Effect) -> None:
        match effect:
            case Say():
                await self._post(chat, _outbound(chat, effect))
            case SayQr():
                await self._say_qr(chat, effect)
            case ShowTyping():
                await self._post(chat, Outbound(chat.id, typing=True))
            case StartSearch():
                now = self._clock.now()
                await store.add_search(chat.tx, effect.search_id, str(chat.id), effect.request, now)
                chat.tx.after_commit(self._wake_search)
            case CancelPayment():
                await self._checkout.cancel(chat.tx, effect.payment_id)
            case ShowTrips():
                await self._show_trips(chat, effect.reference)
            case StartPayment():
                raise AssertionError("carried out where the session can be told")

    async def _say_qr(self, chat: _Chat, effect: SayQr) -> None:
        image = Document(
            effect.document_id,
            str(chat.id),
            "payment.png",
            "image/png",
            payment_qr(effect.content),
            self._clock.now(),
        )
        await self._documents.put(chat.tx, image)
        photo = Attachment(AttachmentKind.PHOTO, image.id, image.filename)
        await self._post(chat, Outbound(chat.id, effect.caption, attachment=photo))

    async def _start_payment(self, chat: _Chat, effect: StartPayment) -> str:
        """Freeze the booking as it is paid for, and start the payment."""
        now = self._clock.now()
        booking = Booking(
            id=effect.booking_id,
            reference=self._ids.reference(),
            chat=str(chat.id),
            state=BookingState.UNPAID,
            offer=effect.offer,
            travellers=_travellers(effect),
            contact=_contact(effect.travellers[0]),
            created_at=now,
        )
        await booking_store.insert(chat.tx, booking)
        payment = await self._checkout.start(
            chat.tx,
            booking_id=booking.id,
            chat=booking.chat,
            method=effect.method,
            price=effect.offer.total,
            not_after=effect.not_after,
        )
        return payment.id

    async def _show_trips(self, chat: _Chat, reference: str | None) -> None:
        bookings = await booking_store.of_chat(chat.tx.connection, str(chat.id))
        if not bookings:
            await self._post(chat, _outbound(chat, say(common.no_trips())))
            return
        named = next((booking for booking in bookings if booking.reference == reference), None)
        if named is None:
            ticketed = next((each.reference for each in bookings if each.state is BookingState.TICKETED), None)
            await self._post(chat, _outbound(chat, say(common.trips(trip_rows(bookings), ticketed))))
            return
        await self._post(chat, _outbound(chat, say(common.trips(trip_rows([named])))))
        for document_id, filename in await self._documents.tickets_of(chat.tx.connection, named.id):
            paper = Attachment(AttachmentKind.DOCUMENT, document_id, filename)
            await self._post(chat, Outbound(chat.id, attachment=paper))

    async def _post(self, chat: _Chat, outbound: Outbound) -> None:
        await post_message(self._outbox, chat.tx, outbound)


def _outbound(chat: _Chat, effect: Say) -> Outbound:
    buttons = tuple(
        tuple(Button(option.label, token(option, chat.generation)) for option in row) for row in effect.options
    )
    return Outbound(chat.id, effect.text, buttons, effect.slot, effect.attachment, effect.hint)


def _travellers(effect: StartPayment) -> tuple[Traveller, ...]:
    return tuple(
        Traveller(kind, draft.given_name or "", draft.family_name or "", draft.born_on, draft.gender)
        for kind, draft in zip(effect.offer.party.types, effect.travellers, strict=True)
        if draft.born_on is not None and draft.gender is not None
    )


def _contact(lead: TravellerDraft) -> Contact:
    return Contact(lead.email or "", lead.phone or "")
