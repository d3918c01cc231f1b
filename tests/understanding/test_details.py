"""Travellers' details from free text: taken as typed, each problem named exactly."""

from datetime import date

import pytest

from bot.conversation.details import (
    Detail,
    DetailProblemKind,
    DetailsUnderstanding,
    TravellerDraft,
    age_problem,
    read_details,
)
from bot.flights.model import Gender, PassengerType

TODAY, DEPARTS, LAST_DAY = date(2026, 11, 20), date(2026, 11, 27), date(2026, 12, 12)


def read(
    text: str,
    expecting: Detail | None = None,
    known: TravellerDraft | None = None,
    passenger: PassengerType = PassengerType.ADULT,
) -> DetailsUnderstanding:
    return read_details(
        text, today=TODAY, passenger=passenger, departs=DEPARTS, last_day=LAST_DAY, expecting=expecting, known=known
    )


ADA = TravellerDraft("Ada", "Obi", date(1990, 5, 3), Gender.FEMALE, "ada@example.com", "+2348012345678")


@pytest.mark.parametrize(
    "text",
    [
        "Ada Obi, 3 May 1990, female, ada@example.com, +2348012345678",
        "Ada Obi 3 May 1990 female ada@example.com +234 801 234 5678",
        "Ms Ada Obi\n03/05/1990\nada@Example.COM\n+234 (0)801-234-5678",
        "name: Ada Obi; dob: 3.5.90; sex: F; email: ada@example.com; phone: 002348012345678",
        "first name: Ada, last name: Obi, born May 3rd, 1990, woman, ada@example.com, +2348012345678",
        "Obi, Ada, 1990-05-03, f, ada@example.com, +2348012345678",
    ],
)
def test_all_details_in_one_message(text: str) -> None:
    understood = read(text)
    assert understood.problems == ()
    assert understood.draft == ADA
    assert understood.draft.missing(with_contact=True) == ()


@pytest.mark.parametrize(
    ("text", "given", "family"),
    [
        ("Ada Obi", "Ada", "Obi"),
        ("OBI/ADA MS", "ADA", "OBI"),
        ("given: Ada Grace, family: Obi", "Ada Grace", "Obi"),
        ("Obi, Ada", "Ada", "Obi"),
        ("OBI Ada", "Ada", "OBI"),
        ("my name is Zoë Núñez", "Zoë", "Núñez"),
        ("Ọláńrewájú Adébáyọ̀", "Ọláńrewájú", "Adébáyọ̀"),
        ("Maria de la Cruz", "Maria", "de la Cruz"),
        ("Jean-Luc O’Neil", "Jean-Luc", "O’Neil"),
        ("李小龍", "小龍", "李"),
        ("歐陽鋒", "鋒", "歐陽"),
        ("山田 太郎", "太郎", "山田"),
        ("김민수", "민수", "김"),
        ("محمد علي", "محمد", "علي"),
        ("Владимир Ленский", "Владимир", "Ленский"),
    ],
)
def test_names_are_taken_as_typed_in_any_script(text: str, given: str, family: str) -> None:
    understood = read(text, Detail.NAME)
    assert understood.problems == ()
    assert (understood.draft.given_name, understood.draft.family_name) == (given, family)


def test_one_name_alone_is_completed_by_the_next() -> None:
    first = read("Ada", Detail.NAME)
    assert [problem.kind for problem in first.problems] == [DetailProblemKind.NAME_INCOMPLETE]
    second = read("Obi", Detail.NAME, first.draft)
    assert (second.draft.given_name, second.draft.family_name, second.problems) == ("Ada", "Obi", ())


@pytest.mark.parametrize(
    ("text", "expecting", "kind", "words"),
    [
        ("31 Feb 1990", Detail.BORN_ON, DetailProblemKind.BAD_DATE, "31 Feb 1990"),
        ("3 may", Detail.BORN_ON, DetailProblemKind.BAD_DATE, "3 may"),
        ("3 May 2030", Detail.BORN_ON, DetailProblemKind.BORN_IN_FUTURE, "3 May 2030"),
        ("3 May 1900", Detail.BORN_ON, DetailProblemKind.BORN_TOO_LONG_AGO, "3 May 1900"),
        ("3 May 2017", Detail.BORN_ON, DetailProblemKind.TOO_YOUNG_FOR_ADULT, "3 May 2017"),
        ("ada@example", Detail.EMAIL, DetailProblemKind.BAD_EMAIL, "ada@example"),
        ("ada at example", Detail.EMAIL, DetailProblemKind.BAD_EMAIL, "ada at example"),
        ("08012345678", Detail.PHONE, DetailProblemKind.PHONE_WITHOUT_COUNTRY, "08012345678"),
        ("+0801234567", Detail.PHONE, DetailProblemKind.BAD_PHONE, "+0801234567"),
        ("call me", Detail.PHONE, DetailProblemKind.BAD_PHONE, "call me"),
        ("Ada <script>", Detail.NAME, DetailProblemKind.BAD_NAME, "Ada <script>"),
        (
            "Ada Steinhausenbergerdorff",
            Detail.NAME,
            DetailProblemKind.NAME_TOO_LONG,
            "Ada Steinhausenbergerdorff",
        ),
        ("yes", Detail.GENDER, DetailProblemKind.NOT_UNDERSTOOD, "yes"),
    ],
)
def test_each_problem_is_named_exactly(text: str, expecting: Detail, kind: DetailProblemKind, words: str) -> None:
    understood = read(text, expecting)
    assert [(problem.kind, problem.detail, problem.words) for problem in understood.problems] == [
        (kind, expecting, words)
    ]
    assert understood.draft == TravellerDraft()


def test_what_is_right_is_kept_beside_what_is_wrong() -> None:
    understood = read("Ada Obi, 31 Feb 1990, female, 0801 234 5678")
    assert understood.found == {Detail.NAME, Detail.GENDER}
    assert {problem.kind for problem in understood.problems} == {
        DetailProblemKind.BAD_DATE,
        DetailProblemKind.PHONE_WITHOUT_COUNTRY,
    }


@pytest.mark.parametrize(
    ("passenger", "born_on", "problem"),
    [
        (PassengerType.ADULT, date(2014, 11, 27), None),  # twelve on the day of departure
        (PassengerType.ADULT, date(2014, 11, 28), DetailProblemKind.TOO_YOUNG_FOR_ADULT),
        (PassengerType.CHILD, date(2014, 11, 28), None),
        (PassengerType.CHILD, date(2014, 11, 27), DetailProblemKind.TOO_OLD_FOR_CHILD),
        (PassengerType.CHILD, date(2024, 11, 27), None),
        (PassengerType.CHILD, date(2024, 11, 28), DetailProblemKind.TOO_YOUNG_FOR_CHILD),
        (PassengerType.INFANT, date(2024, 12, 13), None),
        (PassengerType.INFANT, date(2024, 12, 12), DetailProblemKind.TOO_OLD_FOR_INFANT),  # two before the way back
    ],
)
def test_the_age_must_fit_on_the_days_of_travel(
    passenger: PassengerType, born_on: date, problem: DetailProblemKind | None
) -> None:
    assert age_problem(born_on, today=TODAY, passenger=passenger, departs=DEPARTS, last_day=LAST_DAY) == problem
    understood = read(born_on.isoformat(), Detail.BORN_ON, passenger=passenger)
    assert understood.draft.born_on == (born_on if problem is None else None)


def test_an_answer_to_one_question_leaves_the_name_alone() -> None:
    understood = read("Herr Schmidt said maybe", Detail.EMAIL, ADA)
    assert (understood.draft.given_name, understood.draft.family_name) == ("Ada", "Obi")


@pytest.mark.parametrize("text", ["why do you need that?", "I don't understand", "what?", "can I change the flight"])
def test_talk_is_not_a_name(text: str) -> None:
    understood = read(text)
    assert understood.draft == TravellerDraft()
    assert [problem.kind for problem in understood.problems] == [DetailProblemKind.NOT_UNDERSTOOD]


def test_everything_said_once_more_corrects_the_name_too() -> None:
    wrong = TravellerDraft("Adda", "Oby")
    text = "Ada Obi, 3 May 1990, female, ada@example.com, +2348012345678"
    assert read(text, Detail.BORN_ON, wrong).draft == ADA
    assert read("3 May 1990, female, I am", Detail.BORN_ON, wrong).draft.given_name == "Adda"
