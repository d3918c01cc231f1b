"""Travellers' details from free text: names, birth date, gender, e-mail, phone; each problem is named exactly.

Pure functions. Names are taken as typed, in any script; whether an airline wants Latin letters is asked later.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from bot.flights.model import Gender, PassengerType


class Detail(StrEnum):
    """One thing asked of a traveller, in the order in which they are asked."""

    NAME = "name"
    BORN_ON = "born_on"
    GENDER = "gender"
    EMAIL = "email"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class TravellerDraft:
    """A traveller's details as far as they are known. E-mail and phone are the lead traveller's only."""

    given_name: str | None = None
    family_name: str | None = None
    born_on: date | None = None
    gender: Gender | None = None
    email: str | None = None
    phone: str | None = None  # E.164

    def missing(self, *, with_contact: bool) -> tuple[Detail, ...]:
        """What is still to be asked, in order."""
        open_details = {
            Detail.NAME: self.given_name is None or self.family_name is None,
            Detail.BORN_ON: self.born_on is None,
            Detail.GENDER: self.gender is None,
            Detail.EMAIL: with_contact and self.email is None,
            Detail.PHONE: with_contact and self.phone is None,
        }
        return tuple(detail for detail, is_open in open_details.items() if is_open)


class DetailProblemKind(StrEnum):
    NAME_INCOMPLETE = "name_incomplete"  # one name only: which is missing is not known
    NAME_TOO_LONG = "name_too_long"
    BAD_NAME = "bad_name"  # digits, links, symbols
    BAD_DATE = "bad_date"
    BORN_IN_FUTURE = "born_in_future"
    BORN_TOO_LONG_AGO = "born_too_long_ago"
    TOO_YOUNG_FOR_ADULT = "too_young_for_adult"
    TOO_OLD_FOR_CHILD = "too_old_for_child"
    TOO_YOUNG_FOR_CHILD = "too_young_for_child"
    TOO_OLD_FOR_INFANT = "too_old_for_infant"
    BAD_EMAIL = "bad_email"
    BAD_PHONE = "bad_phone"
    PHONE_WITHOUT_COUNTRY = "phone_without_country"
    NOT_UNDERSTOOD = "not_understood"


@dataclass(frozen=True, slots=True)
class DetailProblem:
    kind: DetailProblemKind
    detail: Detail
    words: str  # as the traveller wrote them


@dataclass(frozen=True, slots=True)
class DetailsUnderstanding:
    """``draft`` is what was known with what was found filled in; what has a problem is left as it was."""

    draft: TravellerDraft
    found: frozenset[Detail] = frozenset()
    problems: tuple[DetailProblem, ...] = ()


def read_details(
    text: str,
    *,
    today: date,
    passenger: PassengerType,
    departs: date,
    last_day: date | None = None,
    expecting: Detail | None = None,
    known: TravellerDraft | None = None,
    language: str = "en",
) -> DetailsUnderstanding:
    """What ``text`` says of one traveller. ``departs`` is the first day of travel and ``last_day`` the last one:
    an infant must be under two on both. Never raises on any text.
    """
    return DetailsUnderstanding(known or TravellerDraft())
