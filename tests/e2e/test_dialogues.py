"""How Layover sounds: whole conversations, sentence by sentence, today being Friday 20 November 2026."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from bot.booking import Booking, BookingState
from bot.channels.text import plain
from bot.conversation.details import TravellerDraft
from bot.conversation.effects import Say, SayQr, StartSearch, Step
from bot.conversation.events import PaymentChanged, PaymentOpened, Pressed, Said, SearchFinished, Ticketed
from bot.conversation.phrases.common import trips
from bot.conversation.phrases.offers import offer_list
from bot.conversation.phrases.trips import trip_rows
from bot.conversation.session import Sort, Stage
from bot.conversation.understanding import Slot
from bot.flights.model import Cabin, Contact, Party
from bot.flights.places import Gazetteer
from payments.payment import Payment, State
from tests.e2e.talk import ADDRESS, WHOLE, ZOE, Airline, Talk, words_of


@pytest.fixture(scope="module")
def airline() -> Airline:
    return Airline(Gazetteer.load())


def says(talk: Talk, words: str) -> str:
    return words_of(talk.hear(Said(words)))


def buttons(step: Step) -> list[str]:
    return [
        option.label for effect in step.effects if isinstance(effect, Say) for row in effect.options for option in row
    ]


def test_a_whole_request_is_said_back_and_a_correction_changes_only_its_slot(airline: Airline) -> None:
    talk = Talk(airline)
    heard = says(talk, "two of us lagos to london next friday, back on the 12th, window of 20k naira no idea, economy")
    assert heard == (
        "Lagos (LOS) → London (any airport)\nFri 27 Nov 2026, back Sat 12 Dec 2026\n2 adults · economy\nIs that right?"
    )
    before = talk.session.draft
    assert says(talk, "make it premium").startswith("Changed to premium economy. Everything else as before.")
    assert talk.session.draft.cabin is Cabin.PREMIUM_ECONOMY
    assert (talk.session.draft.origin, talk.session.draft.depart) == (before.origin, before.depart)


def test_only_what_is_missing_is_asked(airline: Airline) -> None:
    talk = Talk(airline)
    assert says(talk, "I want to go to Paris") == "Where do you fly from?"
    assert says(talk, "lagos") == "Which day do you want to fly?"
    assert says(talk, "12 december, for a week") == "Who is flying? For example “2 adults” or “me and our 9-year-old”."
    assert says(talk, "just me") == "Which cabin?"
    assert "Sat 12 Dec 2026, back Sat 19 Dec 2026\n1 adult · business" in says(talk, "business")


def test_a_date_that_does_not_exist_is_named_and_nothing_else_is_lost(airline: Airline) -> None:
    talk = Talk(airline)
    heard = says(talk, "two adults from lagos to london on 31 feb, one way, economy")
    assert heard == "I did not understand the date “31 feb”.\n\nWhich day do you want to fly?"
    assert "2 adults · economy" in says(talk, "1 march")


def test_no_is_not_found_inside_november_or_another(airline: Airline) -> None:
    talk = Talk.at(Stage.CONFIRM, airline)
    assert "Changed to leaving Mon 30 Nov 2026" in says(talk, "another day: 30 november")
    assert talk.session.stage is Stage.CONFIRM


def test_offers_are_chosen_by_number_and_sorted_and_paged(airline: Airline) -> None:
    talk = Talk.at(Stage.OFFERS, airline)
    fastest = words_of(talk.hear(Said("fastest")))
    assert "fastest first" in fastest
    more = words_of(talk.hear(Said("more")))
    assert more.startswith("Offers 6–10 of ")
    assert "There is no offer 99" in says(talk, "99")
    chosen = words_of(talk.hear(Said("7")))
    assert "\n7 · " in more
    price = more.split("\n7 · ")[1].split(" · ")[0]
    assert chosen.startswith(price)
    assert talk.session.stage is Stage.TRAVELLERS


def test_results_of_a_trip_that_was_changed_meanwhile_are_dropped(airline: Airline) -> None:
    talk = Talk.at(Stage.SEARCHING, airline)
    assert talk.asked is not None
    first = talk.asked.search_id
    says(talk, "make it business")
    assert talk.hear(SearchFinished(first)).effects == ()
    assert talk.session.stage is Stage.CONFIRM
    step = talk.hear(Said("yes"))
    [again] = [effect for effect in step.effects if isinstance(effect, StartSearch)]
    assert again.request.cabin is Cabin.BUSINESS


def test_a_stale_button_is_answered_politely_with_where_we_are(airline: Airline) -> None:
    talk = Talk.at(Stage.CONFIRM, airline)
    old = talk.session.choices[0].token
    says(talk, "make it first class")
    heard = words_of(talk.hear(Pressed(old)))
    assert heard.startswith("That button is from an older message. Here is where we are:")
    assert "first class" in heard


def test_back_asks_for_the_last_traveller_again_and_keeps_the_trip_and_its_offers(airline: Airline) -> None:
    talk = Talk.at(Stage.OFFERS, airline)
    says(talk, "make it 2 adults")
    says(talk, "yes")
    talk.find()
    says(talk, "1")
    assert "/back asks for the last one again." in says(talk, "/help")
    talk.introduce()
    assert "Traveller 2 of 2" in says(talk, "/back")
    assert talk.session.travellers == (ZOE, TravellerDraft())
    assert "Traveller 1 of 2" in says(talk, "/back")
    assert "offers, cheapest first" in says(talk, "/back")
    assert "Is that right?" in says(talk, "/back")
    assert "What should I change?" in says(talk, "/back")
    assert not talk.session.draft.missing


def test_paying_says_amount_address_and_code_in_messages_of_their_own(airline: Airline) -> None:
    talk = Talk.at(Stage.METHOD, airline)
    talk.hear(Said("circle layer"))
    step = talk.open_payment()
    said = [words_of(Step(step.session, (effect,))) for effect in step.effects if isinstance(effect, Say)]
    assert said[0] == (
        "To pay on Circle Layer Testnet, send exactly 1.00 CLAYER to the address in the next message, "
        "before 13:00 UTC (1 hour). I will tell you as soon as I see it."
    )
    assert said[1] == ADDRESS
    [code] = [effect for effect in step.effects if isinstance(effect, SayQr)]
    assert code.content == f"ethereum:{ADDRESS}@28525?value={WHOLE}"


def test_part_of_the_money_is_answered_with_the_rest_to_pay(airline: Airline) -> None:
    talk = Talk.at(Stage.PAYING, airline)
    assert words_of(talk.pay(State.PROCESSING, 6 * 10**17, 0)).endswith("0.60 CLAYER. 1 of 3 confirmations.")
    heard = words_of(talk.pay(State.UNDERPAID, 6 * 10**17))
    assert heard.startswith(
        "I received 0.60 of 1.00 CLAYER. Please send the remaining 0.40 CLAYER to the same address before 13:00 UTC"
    )


def test_a_reorg_is_told_calmly(airline: Airline) -> None:
    talk = Talk.at(Stage.PAYING, airline)
    talk.pay(State.PROCESSING, WHOLE, 0)
    assert words_of(talk.pay(State.PENDING, 0)).startswith(
        "The network took back the block with your payment, so I am counting again. You do not need to do anything"
    )


def test_the_tickets_end_the_trip_and_the_next_one_begins_fresh(airline: Airline) -> None:
    talk = Talk.at(Stage.ISSUING, airline)
    booking = talk.session.booking_id
    assert booking is not None
    papers = (("ticket:1", "QX4TZ7-1-Ada-Obi.pdf"), ("ticket:2", "QX4TZ7-2-Tunde-Obi.pdf"))
    step = talk.hear(Ticketed(booking, "QX4TZ7", "ABC123", ("Ada Obi", "Tunde Obi"), papers))
    assert words_of(step).strip() == (
        "You are booked. Reference QX4TZ7, airline reference ABC123.\nTickets for Ada Obi and Tunde Obi follow.\n"
        "A sample from the offline timetable, not a real seat."
    )
    assert [effect.attachment.filename for effect in step.effects if isinstance(effect, Say) and effect.attachment] == [
        "QX4TZ7-1-Ada-Obi.pdf",
        "QX4TZ7-2-Tunde-Obi.pdf",
    ]
    assert talk.session.stage is Stage.TRIP
    assert says(talk, "hello").startswith("Hello Zoë, I am Layover.")


NUMBER_ANSWERS = {
    # the slot that is asked about in the end: what leaves buttons open, and what leads to that question
    Slot.ORIGIN: ("to jordan", "to lisbon"),
    Slot.DESTINATION: ("from jordan", "from zagreb"),
    Slot.DEPART: ("from zagreb to jordan", "to lisbon"),
    Slot.CHILD_AGES: ("zagreb to lisbon on 20 december, one way", "me and my kid"),
}


@pytest.mark.parametrize("asked", NUMBER_ANSWERS)
def test_a_number_answers_the_question_that_is_open_not_the_buttons_of_an_earlier_one(
    asked: Slot, airline: Airline
) -> None:
    talk = Talk(airline)
    before, answer = NUMBER_ANSWERS[asked]
    assert buttons(talk.hear(Said(before)))
    assert not buttons(talk.hear(Said(answer)))
    assert talk.session.asking is asked
    known = talk.session.draft
    talk.hear(Said("2"))
    draft = talk.session.draft
    assert (draft.origin, draft.destination) == (known.origin, known.destination)
    if asked is Slot.DEPART:
        assert draft.depart == date(2026, 12, 2)
    if asked is Slot.CHILD_AGES:
        assert draft.party == Party(1, (2,))


@pytest.mark.parametrize("stage", [Stage.TRAVELLERS, Stage.ISSUING])
def test_a_button_of_what_is_settled_is_an_old_one(stage: Stage, airline: Airline) -> None:
    before = {Stage.TRAVELLERS: Stage.OFFERS, Stage.ISSUING: Stage.PAYING}[stage]
    talk = Talk.at(before, airline)
    old = talk.session.choices[-1].token
    talk.hear(Said("1")) if stage is Stage.TRAVELLERS else talk.pay(State.COMPLETE, WHOLE)
    assert talk.session.stage is stage
    assert "That button is from an older message" in words_of(talk.hear(Pressed(old)))


def test_help_leaves_the_open_buttons_as_they_are(airline: Airline) -> None:
    talk = Talk.at(Stage.OFFERS, airline)
    says(talk, "/help")
    says(talk, "2")
    assert talk.session.stage is Stage.TRAVELLERS


@pytest.mark.parametrize(
    ("words", "reached"),
    [
        ("make it business", Stage.CONFIRM),
        ("Zagreb to Paris", Stage.CONFIRM),
        ("leave a day later", Stage.CONFIRM),
        ("business", Stage.CONFIRM),
        ("2 adults", Stage.CONFIRM),
        ("other flights", Stage.OFFERS),
        ("show me cheaper ones", Stage.OFFERS),
        ("one moment", Stage.TRAVELLERS),
        ("just a second", Stage.TRAVELLERS),
        ("from Lisbon to Lisbon", Stage.TRAVELLERS),
    ],
)
def test_talk_is_not_a_passengers_name(words: str, reached: Stage, airline: Airline) -> None:
    talk = Talk.at(Stage.TRAVELLERS, airline)
    says(talk, words)
    assert talk.session.stage is reached
    assert talk.session.travellers == (TravellerDraft(),)


@pytest.mark.parametrize(
    ("words", "given", "family"),
    [
        ("Paris Hilton", "Paris", "Hilton"),
        ("May Johnson", "May", "Johnson"),
        ("Julia Child", "Julia", "Child"),
        ("Santiago De La Cruz", "Santiago", "De La Cruz"),
        ("Jordan Israel", "Jordan", "Israel"),
        ("Ali To", "Ali", "To"),
        ("Ada J Obi", "Ada J", "Obi"),
        ("Ada Business, 3 May 1990, female", "Ada", "Business"),
    ],
)
def test_names_that_are_places_or_months_are_names(words: str, given: str, family: str, airline: Airline) -> None:
    talk = Talk.at(Stage.TRAVELLERS, airline)
    says(talk, words)
    [traveller] = talk.session.travellers
    assert (traveller.given_name, traveller.family_name) == (given, family)


def test_what_is_wrong_beside_the_last_detail_is_said(airline: Airline) -> None:
    talk = Talk.at(Stage.TRAVELLERS, airline)
    says(talk, "Zoë Šimić, 29 Feb 1996, female, zoe@example.com")
    heard = says(talk, "+385912345678, zoe@@example")
    assert heard.startswith("“zoe@@example” is not an e-mail address.")
    assert talk.session.stage is Stage.METHOD


@pytest.mark.parametrize("stage", [Stage.SEARCHING, Stage.OFFERS, Stage.METHOD])
@pytest.mark.parametrize("words", ["31 feb", "to Qwertyville", "12 infants"])
def test_what_was_not_understood_loses_no_offers(stage: Stage, words: str, airline: Airline) -> None:
    talk = Talk.at(stage, airline)
    before = talk.session
    step = talk.hear(Said(words))
    assert talk.session.stage is stage
    assert (talk.session.search_id, talk.session.offer) == (before.search_id, before.offer)
    if stage is not Stage.SEARCHING:
        assert buttons(step)


def test_a_question_about_a_change_is_taken_back_to_the_offers(airline: Airline) -> None:
    talk = Talk.at(Stage.OFFERS, airline)
    assert "could be:" in says(talk, "to jordan")
    assert "offers, cheapest first" in says(talk, "/back")


def test_a_wish_to_change_a_name_before_paying_is_about_the_travellers(airline: Airline) -> None:
    talk = Talk.at(Stage.METHOD, airline)
    assert "Please send the name" in says(talk, "change the name of Ada to Adaeze")


def test_one_place_alone_is_offered_as_both(airline: Airline) -> None:
    talk = Talk.at(Stage.CONFIRM, airline)
    step = talk.hear(Said("Madrid"))
    assert words_of(step) == "“Madrid”: do you fly from there, or to there?"
    assert buttons(step) == ["From Madrid", "To Madrid"]
    assert "Changed to flying from Madrid" in says(talk, "From Madrid")


def test_a_day_that_does_not_exist_is_named_with_a_return_known_too(airline: Airline) -> None:
    talk = Talk(airline)
    says(talk, "one adult zagreb to lisbon on 20 december, back on 28 december, economy")
    assert says(talk, "31 feb") == "I did not understand the date “31 feb”.\n\nWhich day do you want to fly?"
    assert "Sun 20 Dec 2026, back Mon 28 Dec 2026" in says(talk, "/back")
    step = talk.hear(Said("27 december"))
    assert buttons(step) == ["Departure", "Return"]


@pytest.mark.parametrize(
    ("count", "first", "total", "shown"),
    [
        (1, 1, 1, "One offer. "),
        (3, 1, 3, "All 3 offers, "),
        (5, 1, 38, "Five of 38 offers, "),
        (1, 36, 36, "Offer 36 of"),
    ],
)
def test_offers_are_counted_as_people_count(count: int, first: int, total: int, shown: str, airline: Airline) -> None:
    offers = Talk.at(Stage.OFFERS, airline).found[:1] * count
    assert plain(offer_list(offers, first, total, Sort.CHEAPEST)).startswith(shown)


def test_where_nothing_flies_the_question_is_asked_once(airline: Airline) -> None:
    talk = Talk.at(Stage.SEARCHING, airline)
    assert talk.asked is not None
    heard = words_of(talk.hear(SearchFinished(talk.asked.search_id)))
    assert heard.startswith("I found no flights for that.")
    assert heard.count("What should I change?") == 1


def asks_for_money(step: Step) -> bool:
    codes = any(isinstance(effect, SayQr) for effect in step.effects)
    return codes or ADDRESS in words_of(step) or " send " in words_of(step).replace("do not send", "")


@pytest.mark.parametrize(
    ("state", "received", "told"),
    [
        (State.PROCESSING, WHOLE, "I see your payment of 1.00 CLAYER. 1 of 3 confirmations."),
        (State.PROCESSING, WHOLE // 2, "I see your payment of 0.50 CLAYER. 1 of 3 confirmations."),
        (State.CANCELLED, 0, "This payment is closed: please do not send anything"),
        (State.EXPIRED, 0, "This payment is closed: please do not send anything"),
        (State.REVERSED, 0, "The network took back your payment after it had been confirmed."),
    ],
)
@pytest.mark.parametrize("words", ["Show address", "hello?"])
def test_the_chat_asks_for_money_only_while_it_may_be_sent(
    words: str, state: State, received: int, told: str, airline: Airline
) -> None:
    talk = Talk.at(Stage.PAYING, airline)
    assert talk.payment
    talk.payment = replace(talk.payment, state=state, received=received, confirmations=1)  # its news is still queued
    step = talk.hear(Said(words))
    assert words_of(step).startswith(told)
    assert not asks_for_money(step)
    assert "Show address" not in buttons(step)


def test_after_the_end_nothing_is_asked_for_though_the_chain_is_behind(airline: Airline) -> None:
    talk = Talk.at(Stage.PAYING, airline)
    assert talk.payment
    talk.now = talk.payment.expires_at + timedelta(seconds=1)
    step = talk.hear(Said("Show address"))
    assert words_of(step).startswith("The time to pay is up. Please do not send anything more")
    assert not asks_for_money(step)


def test_an_address_is_not_told_for_a_payment_that_was_cancelled_meanwhile(airline: Airline) -> None:
    talk = Talk.at(Stage.METHOD, airline)
    talk.hear(Said("On-chain"))
    assert talk.payment
    talk.payment = replace(talk.payment, opened_at=talk.now, state=State.CANCELLED)
    assert talk.hear(PaymentOpened(talk.payment)).effects == ()


def test_the_rest_is_not_asked_for_where_the_payment_has_ended_since(airline: Airline) -> None:
    talk = Talk.at(Stage.PAYING, airline)
    assert talk.payment
    talk.now = talk.payment.expires_at
    step = talk.pay(State.UNDERPAID, 6 * 10**17)
    assert words_of(step) == "I received 0.60 of 1.00 CLAYER."
    assert not asks_for_money(step)


def test_while_the_airline_is_slow_another_trip_may_begin(airline: Airline) -> None:
    talk = Talk.at(Stage.ISSUING, airline)
    booking = talk.session.booking_id
    assert booking is not None
    for words in ("/start", "/status", "start over", "/cancel", "/back", "thanks"):
        assert "Meanwhile you can tell me about another trip." in says(talk, words), words
    assert says(talk, "/cancel").startswith("That trip is paid, so it cannot be dropped here.")
    assert says(talk, "from lagos to paris") == "Which day do you want to fly?"
    assert says(talk, "12 december, one way, 2 adults, business").endswith("Is that right?")
    assert "You are booked." in words_of(talk.hear(Ticketed(booking, "QX4TZ7", "ABC123", ("Zoë Šimić",), ())))
    says(talk, "yes")
    assert talk.session.stage is Stage.SEARCHING


def test_an_overpayment_is_told_when_it_is_certain_and_not_again(airline: Airline) -> None:
    talk = Talk.at(Stage.PAYING, airline)
    assert "0.50 CLAYER more than was due" in words_of(talk.pay(State.OVERPAID, 3 * WHOLE // 2))
    assert words_of(talk.pay(State.OVERPAID, 2 * WHOLE, confirmed=3 * WHOLE // 2)) == ""
    assert "1.00 CLAYER more than was due" in words_of(talk.pay(State.OVERPAID, 2 * WHOLE))


def test_a_reversal_is_told_once_and_what_it_means_for_tickets_is_true(airline: Airline) -> None:
    talk = Talk.at(Stage.ISSUING, airline)
    heard = words_of(talk.pay(State.REVERSED, 0))
    assert heard.startswith("The network took back your payment after it had been confirmed. A person is looking at it")
    assert "Your ticket stays" not in heard
    assert words_of(talk.pay(State.REVERSED, WHOLE, confirmed=0)) == ""
    assert words_of(talk.pay(State.COMPLETE, WHOLE)) == "The network has confirmed your payment again."


def test_late_money_after_a_part_in_time_is_not_called_late_as_a_whole(airline: Airline) -> None:
    talk = Talk.at(Stage.PAYING, airline)
    talk.pay(State.UNDERPAID, 6 * 10**17)
    talk.pay(State.EXPIRED, 6 * 10**17)
    assert talk.payment
    talk.payment = replace(talk.payment, received=WHOLE, tx_hashes=("0x" + "9f" * 32, "0x" + "ab" * 32))
    late = two_transactions(talk, State.LATE)
    assert late.startswith("I have 1.00 CLAYER from you; the last of it arrived after the time was up")


def two_transactions(talk: Talk, state: State) -> str:
    """News of a payment that came in two parts, all of it certain."""
    before: Payment | None = talk.payment
    assert before is not None
    talk.payment = replace(before, state=state, confirmed=before.received, version=before.version + 1)
    return words_of(talk.hear(PaymentChanged(talk.payment, before.state, before.received)))


def test_a_method_that_fails_is_offered_again_without_a_contradiction(airline: Airline) -> None:
    talk = Talk.at(Stage.METHOD, airline)
    talk.hear(Said("On-chain"))
    heard = words_of(talk.pay(State.FAILED, 0))
    assert heard.startswith(
        "Paying on chain is not possible right now: the network does not answer. Nothing was charged"
    )
    assert "later" not in heard
    assert "how would you like to pay" in heard
    assert says(talk, "card").startswith("Paying by card is not possible right now. On-chain works.")


def test_the_list_of_trips_names_samples_and_how_to_get_the_tickets_again(airline: Airline) -> None:
    talk = Talk.at(Stage.METHOD, airline)
    offer = talk.session.offer
    assert offer is not None
    booking = Booking(
        "bkg_1", "QX4TZ7", "telegram:1", BookingState.TICKETED, offer, (), Contact("a@example.com", "+1"), talk.now
    )
    listed = plain(trips(trip_rows([booking]), "QX4TZ7"))
    assert listed.startswith("Your trips:\n\nQX4TZ7 · Zagreb → Lisbon, Sun 20 Dec 2026 · ticketed · sample")
    assert listed.endswith("/trips QX4TZ7 sends its tickets again.")
