"""Travellers' details from free text: names, birth date, gender, e-mail, phone; each problem is named exactly.

Pure functions. Names are taken as typed, in any script; whether an airline wants Latin letters is asked later.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from bot.conversation.understand.births import age_on, find_birth_dates
from bot.conversation.understand.contacts import find_emails, find_phones
from bot.conversation.understand.lexicon import Lexicon, load_lexicon
from bot.conversation.understand.names import LONGEST_NAME, FullName, is_name, is_talk, split_name, tidy
from bot.flights.model import Gender, PassengerType
from bot.flights.place_names import fold

_LONGEST_MESSAGE = 1000
_OLDEST = 120  # years


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


@dataclass(slots=True)
class _Words:
    """What is left of a message: words under the label before them ("given", "family", "name", "" for none)."""

    named: dict[str, list[str]] = field(default_factory=dict)
    unlabelled: list[list[str]] = field(default_factory=list)  # by the parts that commas make
    gender: Gender | None = None


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
    lexicon = load_lexicon(language)
    reader = _Reader(text[:_LONGEST_MESSAGE], lexicon, expecting, known or TravellerDraft())
    reader.read_email()
    reader.read_birth(today, passenger, departs, last_day or departs)
    reader.read_phone()
    reader.read_words()
    return reader.result()


def age_problem(
    born_on: date, *, today: date, passenger: PassengerType, departs: date, last_day: date
) -> DetailProblemKind | None:
    """Why this birth date does not fit the kind of passenger that was searched for; None where it does."""
    if born_on > today:
        return DetailProblemKind.BORN_IN_FUTURE
    age = age_on(departs, born_on)
    if age > _OLDEST:
        return DetailProblemKind.BORN_TOO_LONG_AGO
    if passenger is PassengerType.ADULT:
        return DetailProblemKind.TOO_YOUNG_FOR_ADULT if age < 12 else None
    if passenger is PassengerType.INFANT:
        return DetailProblemKind.TOO_OLD_FOR_INFANT if age_on(last_day, born_on) >= 2 else None
    if age >= 12:
        return DetailProblemKind.TOO_OLD_FOR_CHILD
    return DetailProblemKind.TOO_YOUNG_FOR_CHILD if age < 2 else None


class _Reader:
    """Takes one thing after the other out of the message; what remains is the name."""

    def __init__(self, text: str, lexicon: Lexicon, expecting: Detail | None, known: TravellerDraft) -> None:
        self._text = self._rest = text
        self._lexicon = lexicon
        self._expecting = expecting
        self._draft = known
        self._known = known
        self._found: set[Detail] = set()
        self._problems: list[DetailProblem] = []

    def result(self) -> DetailsUnderstanding:
        if not self._found and not self._problems:
            expecting = self._expecting or Detail.NAME
            kinds = {
                Detail.BORN_ON: DetailProblemKind.BAD_DATE,
                Detail.EMAIL: DetailProblemKind.BAD_EMAIL,
                Detail.PHONE: DetailProblemKind.BAD_PHONE,
            }
            kind = kinds.get(expecting, DetailProblemKind.NOT_UNDERSTOOD)
            self._problems.append(DetailProblem(kind, expecting, self._text.strip()))
        return DetailsUnderstanding(self._draft, frozenset(self._found), tuple(self._problems))

    def _take_out(self, start: int, end: int) -> str:
        words = self._text[start:end].strip()
        self._rest = f"{self._rest[:start]}{',' * (end - start)}{self._rest[end:]}"
        return words

    def _problem(self, kind: DetailProblemKind, detail: Detail, words: str) -> None:
        self._problems.append(DetailProblem(kind, detail, words))

    def read_email(self) -> None:
        for email in find_emails(self._rest):
            words = self._take_out(email.start, email.end)
            if email.value is None:
                self._problem(DetailProblemKind.BAD_EMAIL, Detail.EMAIL, words)
            else:
                self._draft = replace(self._draft, email=email.value)
                self._found.add(Detail.EMAIL)

    def read_birth(self, today: date, passenger: PassengerType, departs: date, last_day: date) -> None:
        spaced = self._expecting is Detail.BORN_ON
        for birth in find_birth_dates(self._rest, today, self._lexicon, spaced=spaced):
            words = self._take_out(birth.start, birth.end)
            kind: DetailProblemKind | None = DetailProblemKind.BAD_DATE
            if birth.day is not None:
                kind = age_problem(birth.day, today=today, passenger=passenger, departs=departs, last_day=last_day)
            if kind is not None:
                self._problem(kind, Detail.BORN_ON, words)
            else:
                self._draft = replace(self._draft, born_on=birth.day)
                self._found.add(Detail.BORN_ON)

    def read_phone(self) -> None:
        for phone in find_phones(self._rest):
            words = self._take_out(phone.start, phone.end)
            if phone.value is not None:
                self._draft = replace(self._draft, phone=phone.value)
                self._found.add(Detail.PHONE)
            elif phone.has_country:
                self._problem(DetailProblemKind.BAD_PHONE, Detail.PHONE, words)
            else:
                self._problem(DetailProblemKind.PHONE_WITHOUT_COUNTRY, Detail.PHONE, words)

    def read_words(self) -> None:
        words = self._sort_words()
        if words.gender is not None:
            self._draft = replace(self._draft, gender=words.gender)
            self._found.add(Detail.GENDER)
        is_asked = self._expecting in (None, Detail.NAME)
        if words.unlabelled and not words.named and (is_asked or self._is_introduction(words)):
            if "?" in self._rest or is_talk(words.unlabelled[0]):
                self._problem(DetailProblemKind.NOT_UNDERSTOOD, Detail.NAME, self._rest.strip(" ,"))
                return
            self._take_name(self._name(words))
        elif words.named:
            self._take_name(self._name(words))

    def _is_introduction(self, words: _Words) -> bool:
        """Everything once more, beginning with a name: it corrects the one that is known."""
        first = words.unlabelled[0]
        return len(self._found) > 1 and len(first) > 1 and self._text.lstrip().startswith(first[0])

    def _sort_words(self) -> _Words:
        sorted_words = _Words()
        label = ""
        for part in re.split(r"[,;\n|،、]+", self._rest):
            words = [word.strip('()[]":=!?*') for word in part.replace("/", " / ").replace(":", " ").split()]
            label = self._sort_part([word for word in words if word], sorted_words, label if not part.strip() else "")
        return sorted_words

    def _sort_part(self, words: list[str], into: _Words, label: str) -> str:
        loose: list[str] = []
        at = 0
        while at < len(words):
            length, what, value = self._phrase(words, at, alone=not loose)
            if what in ("gender_strong", "title", "gender"):
                into.gender = Gender(value) if value in ("f", "m") else into.gender
            elif what == "label":
                label = "" if value == "other" else value
            elif label in ("given", "family"):
                into.named.setdefault(label, []).append(words[at])
            else:
                loose.append(words[at])
            at += length
        if loose:
            into.unlabelled.append(loose)
        return label

    def _phrase(self, words: list[str], at: int, *, alone: bool) -> tuple[int, str, str]:
        """(words, what, value) of the longest known phrase from here on; ("name") where it is none.

        Short words for a gender count only as the whole of their part; labels not after a name has begun, unless
        with what they label ("Ada, family name Obi").
        """
        for length in range(min(4, len(words) - at), 0, -1):
            phrase = fold(" ".join(words[at : at + length]))
            what, value = self._lexicon.details.get(phrase, ("", ""))
            if what == "gender" and not (alone and at + length == len(words)):
                continue
            if what == "title" and 0 < at < len(words) - length:
                continue
            if what == "label" and not alone and length == 1 and value in ("other", "name"):
                continue
            if what:
                return length, what, value
        return 1, "", ""

    def _name(self, words: _Words) -> FullName:
        if words.named:
            given, family = words.named.get("given", []), words.named.get("family", [])
            return FullName(tidy(given), tidy(family))
        first, *others = words.unlabelled
        if "/" in first:
            cut = first.index("/")
            return FullName(tidy(first[cut + 1 :]), tidy(first[:cut]))
        if others and len(first) == 1 and len(others[0]) <= 3:
            return FullName(tidy(others[0]), tidy(first))  # "Obi, Ada", as passports have it
        return split_name(first)

    def _take_name(self, name: FullName) -> None:
        words = " ".join(part for part in (name.given, name.family) if part)
        if not words:
            return
        if not is_name(words):
            self._problem(DetailProblemKind.BAD_NAME, Detail.NAME, words)
        elif any(len(part or "") > LONGEST_NAME for part in (name.given, name.family)):
            self._problem(DetailProblemKind.NAME_TOO_LONG, Detail.NAME, words)
        else:
            self._fill_name(name, words)

    def _fill_name(self, name: FullName, words: str) -> None:
        """One name alone completes the one that was said before."""
        given, family = name.given, name.family
        if self._known.given_name is not None and self._known.family_name is None and not family:
            given, family = self._known.given_name, given
        elif self._known.given_name is None and self._known.family_name is not None and not family:
            family = self._known.family_name
        draft = replace(
            self._draft,
            given_name=given or self._draft.given_name,
            family_name=family or self._draft.family_name,
        )
        self._draft = draft
        if draft.given_name is None or draft.family_name is None:
            self._problem(DetailProblemKind.NAME_INCOMPLETE, Detail.NAME, words)
        else:
            self._found.add(Detail.NAME)
