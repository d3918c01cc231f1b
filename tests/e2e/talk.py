"""A conversation without a daemon: the pure ``advance``, an imagined world around it, and what must always hold."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from bot.channels.model import Button
from bot.conversation.context import Context, PayingFacts
from bot.conversation.details import TravellerDraft
from bot.conversation.effects import CancelPayment, Say, SayQr, ShowTrips, StartPayment, StartSearch, Step
from bot.conversation.events import (
    Event,
    PaymentChanged,
    PaymentOpened,
    Pressed,
    Said,
    SearchFinished,
    Ticketed,
    Unreadable,
)
from bot.conversation.flow import advance
from bot.conversation.session import Session, Stage
from bot.conversation.turn import token
from bot.flights.codec import dump, load
from bot.flights.model import Gender, Offer
from bot.flights.network import Network
from bot.flights.places import Gazetteer
from bot.flights.timetable_search import search
from payments.money import Coin
from payments.payment import PAID, Method, Payment, Quote, State
from runtime.clock import SystemIds

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
COIN = Coin("CLAYER", 18)
WHOLE = 10**18  # wei due
ZOE = TravellerDraft("Zoë", "Šimić", date(1996, 2, 29), Gender.FEMALE, "zoe@example.com", "+385912345678")
TRIP = "one adult Zagreb to Lisbon on 20 December 2026, one way, economy"
PAYING = PayingFacts(
    methods=(Method.CLAYER,),
    network="Circle Layer Testnet",
    confirmations=3,
    transaction_link=lambda tx_hash: f"https://explorer.example/tx/{tx_hash}",
    payment_link=lambda payment: f"ethereum:{payment.address}@28525?value={payment.missing or payment.due}",
)


class Airline:
    """The offline timetable's answers, each request searched once."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self.gazetteer = gazetteer
        self._network = Network(gazetteer)
        self._known: dict[str, tuple[Offer, ...]] = {}

    def offers(self, asked: StartSearch) -> tuple[Offer, ...]:
        key = repr(asked.request)
        if key not in self._known:
            self._known[key] = tuple(search(self._network, self.gazetteer, asked.request, NOW))
        return self._known[key]


class Talk:
    """One traveller's conversation. Each event is answered, checked, and its effects become the world's next state."""

    def __init__(self, airline: Airline) -> None:
        self._airline = airline
        self.session = Session(name="Zoë")
        self.asked: StartSearch | None = None
        self.found: tuple[Offer, ...] = ()
        self.payment: Payment | None = None
        self.now = NOW

    @classmethod
    def at(cls, stage: Stage, airline: Airline) -> "Talk":
        """A conversation that has come that far."""
        talk = cls(airline)
        way: dict[Stage, Callable[[], Step]] = {
            Stage.CONFIRM: lambda: talk.hear(Said(TRIP)),
            Stage.SEARCHING: lambda: talk.hear(Said("yes")),
            Stage.OFFERS: talk.find,
            Stage.TRAVELLERS: lambda: talk.hear(Said("1")),
            Stage.METHOD: talk.introduce,
            Stage.PAYING: talk.start_paying,
            Stage.ISSUING: lambda: talk.pay(State.COMPLETE, WHOLE),
        }
        for reached, go in way.items():
            if talk.session.stage is stage:
                break
            go()
            assert talk.session.stage is reached, f"{reached} was not reached: {talk.session.stage}"
        return talk

    def hear(self, event: Event) -> Step:
        before = self.session
        gazetteer = self._airline.gazetteer
        sample = isinstance(event, Ticketed)  # all that the offline timetable sells
        context = Context(self.now, gazetteer, SystemIds(), PAYING, self.found, self.payment, sample)
        step = advance(before, event, context)
        self._check_words(event, step)
        self._check_session(step.session)
        self._check_payment(before, event, step)
        self._carry_out(step)
        return step

    def find(self) -> Step:
        """The search ends, with what the timetable has."""
        assert self.asked is not None
        self.found = self._airline.offers(self.asked)
        return self.hear(SearchFinished(self.asked.search_id))

    def introduce(self) -> Step:
        """Everybody's details are known; the next message brings the question how to pay."""
        self.session = replace(self.session, travellers=(ZOE,) * len(self.session.travellers))
        return self.hear(Said("ok"))

    def start_paying(self) -> Step:
        self.hear(Said("On-chain"))
        return self.open_payment()

    def open_payment(self) -> Step:
        assert self.payment is not None
        self.payment = replace(self.payment, opened_at=NOW, version=self.payment.version + 1)
        return self.hear(PaymentOpened(self.payment))

    def pay(self, state: State, received: int, confirmed: int | None = None) -> Step:
        """The evidence says this much now."""
        assert self.payment is not None
        before = self.payment
        self.payment = replace(
            before,
            state=state,
            received=received,
            confirmed=received if confirmed is None else confirmed,
            confirmations=3 if state in PAID else 1,
            tx_hashes=("0x" + "9f" * 32,) if received else (),
            version=before.version + 1,
        )
        return self.hear(PaymentChanged(self.payment, before.state, before.received))

    def _carry_out(self, step: Step) -> None:
        self.session = step.session
        for effect in step.effects:
            if isinstance(effect, StartSearch):
                self.asked, self.found = effect, ()
            elif isinstance(effect, StartPayment):
                self.payment = _payment(effect)
                self.session = replace(self.session, payment_id=self.payment.id)
            elif isinstance(effect, CancelPayment):
                assert self.payment is not None
                self.pay(State.CANCELLED, 0)

    def _check_words(self, event: Event, step: Step) -> None:
        """A traveller is never met with silence, and every message can be sent."""
        if isinstance(event, Said | Pressed | Unreadable):
            speaks = (Say, SayQr, ShowTrips, CancelPayment)  # a cancelled payment is told by its own event
            assert any(isinstance(effect, speaks) for effect in step.effects), f"{event} is met with silence"
        for effect in step.effects:
            if not isinstance(effect, Say):
                continue
            words = "".join(span.text for span in effect.text)
            assert words.strip() or effect.attachment, "an empty message"
            assert "None" not in words or "None" in str(event), words
            for option in (option for row in effect.options for option in row):
                Button(option.label, token(option, step.session.generation))  # raises where it would not fit
                assert option.label.strip()

    def _check_session(self, session: Session) -> None:
        """What each stage rests on is there, and it is the same after it was stored."""
        assert load(Session, dump(session)) == session
        stage = session.stage
        if stage in (Stage.CONFIRM, Stage.SEARCHING):
            assert not session.draft.missing
        if stage is Stage.SEARCHING:
            assert session.search_id is not None
        if stage in (Stage.TRAVELLERS, Stage.METHOD, Stage.PAYING):
            assert session.offer is not None
            assert len(session.travellers) == session.offer.party.size
        if stage in (Stage.METHOD, Stage.PAYING):
            assert not any(draft.missing(with_contact=not at) for at, draft in enumerate(session.travellers))
        if stage in (Stage.PAYING, Stage.ISSUING):
            assert session.booking_id is not None

    def _check_payment(self, before: Session, event: Event, step: Step) -> None:
        """Nothing that a traveller does loses a payment, or opens a second one beside it."""
        payment = self.payment
        if not isinstance(event, Said | Pressed | Unreadable) or payment is None or before.payment_id != payment.id:
            return
        after = step.session
        if before.stage is Stage.ISSUING:
            return  # it is paid: the talk may go on to another trip
        assert (after.payment_id, after.booking_id) == (before.payment_id, before.booking_id)
        assert after.stage is before.stage
        assert not any(isinstance(effect, StartPayment | StartSearch) for effect in step.effects)
        for effect in step.effects:
            if isinstance(effect, CancelPayment):
                assert before.leaving, "cancelled without being asked"
                assert payment.state is State.PENDING, "cancelled though money has come"


def words_of(step: Step) -> str:
    """All that the step says."""
    said = [effect.text for effect in step.effects if isinstance(effect, Say)]
    return "\n".join("".join(span.text for span in text) for text in said)


def _payment(start: StartPayment) -> Payment:
    return Payment(
        id="pay_" + start.booking_id.removeprefix("bkg_"),
        booking_id=start.booking_id,
        chat="telegram:1",
        method=start.method,
        state=State.PENDING,
        quote=Quote(start.offer.total, COIN, WHOLE, "fixed test amount", NOW),
        created_at=NOW,
        opened_at=None,
        expires_at=min(NOW + timedelta(hours=1), start.not_after),
        version=1,
        address=ADDRESS,
    )
