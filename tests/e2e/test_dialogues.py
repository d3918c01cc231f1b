"""How Layover sounds: whole conversations, sentence by sentence, today being Friday 20 November 2026."""

import pytest

from bot.conversation.effects import Say, SayQr, StartSearch, Step
from bot.conversation.events import Pressed, Said, SearchFinished, Ticketed
from bot.conversation.session import Stage
from bot.flights.model import Cabin
from bot.flights.places import Gazetteer
from payments.payment import State
from tests.e2e.talk import ADDRESS, WHOLE, Airline, Talk, words_of


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


def test_back_goes_one_step_and_keeps_what_was_said(airline: Airline) -> None:
    talk = Talk.at(Stage.METHOD, airline)
    assert "Please send the name" in says(talk, "/back")
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
        "You are booked. Reference QX4TZ7, with the airline ABC123.\nTickets for Ada Obi and Tunde Obi follow."
    )
    assert [effect.attachment.filename for effect in step.effects if isinstance(effect, Say) and effect.attachment] == [
        "QX4TZ7-1-Ada-Obi.pdf",
        "QX4TZ7-2-Tunde-Obi.pdf",
    ]
    assert talk.session.stage is Stage.TRIP
    assert says(talk, "hello").startswith("Hello Zoë, I am Layover.")
