"""Asking for travellers' details, and what is wrong with an answer."""

from bot.channels.model import Text
from bot.channels.text import bold, lines, paragraphs, text
from bot.conversation.details import Detail, DetailProblem, DetailProblemKind, TravellerDraft
from bot.conversation.phrases.forms import birthday
from bot.flights.model import Gender, PassengerType

KINDS = {PassengerType.ADULT: "adult", PassengerType.CHILD: "child", PassengerType.INFANT: "infant"}
GENDERS = {Gender.FEMALE: "female", Gender.MALE: "male"}


def ask_traveller(number: int, count: int, kind: PassengerType) -> Text:
    """The first question about a traveller: everything at once, or one by one."""
    who = "Who is flying?" if count == 1 else f"Traveller {number} of {count} ({KINDS[kind]})."
    lead = number == 1
    contact = ", your e-mail and phone" if lead else ""
    example = "Ada Obi, 3 May 1990, female" + (", ada@example.com, +234 803 123 4567" if lead else "")
    return paragraphs(
        f"{who} Please send the name as in the passport, date of birth, gender{contact}.",
        text("For example: ", bold(example)),
    )


def ask_detail(detail: Detail, draft: TravellerDraft) -> str:
    """One thing that is still missing."""
    whose = f"{draft.given_name}'s" if draft.given_name else "the"
    return {
        Detail.NAME: "What is the full name, as in the passport? Given name first.",
        Detail.BORN_ON: f"What is {whose} date of birth? For example 3 May 1990.",
        Detail.GENDER: f"What is {whose} gender, as in the passport?",
        Detail.EMAIL: "Which e-mail address may the airline use?",
        Detail.PHONE: "Which phone number, with the country code? For example +234 803 123 4567.",
    }[detail]


def problem(what: DetailProblem) -> str:
    words = f"“{what.words}”"
    return {
        DetailProblemKind.NAME_INCOMPLETE: f"I need given name and family name; I have only {words}.",
        DetailProblemKind.NAME_TOO_LONG: "That name is longer than airlines accept.",
        DetailProblemKind.BAD_NAME: f"{words} does not look like a name.",
        DetailProblemKind.BAD_DATE: f"I did not understand the date {words}.",
        DetailProblemKind.BORN_IN_FUTURE: f"{words} is in the future.",
        DetailProblemKind.BORN_TOO_LONG_AGO: f"{words} is too long ago.",
        DetailProblemKind.TOO_YOUNG_FOR_ADULT: (
            f"Born on {words}, this traveller is under 12 on the day of the flight, but an adult was searched for."
        ),
        DetailProblemKind.TOO_OLD_FOR_CHILD: (
            f"Born on {words}, this traveller is 12 or older on the day of the flight, but a child was searched for."
        ),
        DetailProblemKind.TOO_YOUNG_FOR_CHILD: (
            f"Born on {words}, this traveller is under 2 on the day of the flight, but a child was searched for."
        ),
        DetailProblemKind.TOO_OLD_FOR_INFANT: (
            f"Born on {words}, this traveller turns 2 before the trip ends and needs a seat of their own."
        ),
        DetailProblemKind.BAD_EMAIL: f"{words} is not an e-mail address.",
        DetailProblemKind.BAD_PHONE: f"{words} is not a phone number.",
        DetailProblemKind.PHONE_WITHOUT_COUNTRY: f"{words} lacks the country code: start with +.",
        DetailProblemKind.NOT_UNDERSTOOD: "I did not understand that.",
    }[what.kind]


def overview(travellers: tuple[TravellerDraft, ...]) -> Text:
    """Everybody as understood, to be checked before paying."""
    rows = [
        f"{draft.given_name} {draft.family_name}, born {birthday(draft.born_on)}, {GENDERS[draft.gender]}"
        for draft in travellers
        if draft.born_on and draft.gender
    ]
    lead = travellers[0]
    return lines(*rows, f"{lead.email} · {lead.phone}")
