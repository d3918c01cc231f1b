"""Reads the corpus and compares what was understood with what was meant, slot by slot."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from bot.conversation.understanding import PartialParty, Slot, TripDraft, Understanding, understand
from bot.flights.model import Cabin, Party, Place, PlaceKind
from bot.flights.places import Gazetteer

TODAY = date(2026, 11, 20)


@dataclass(frozen=True, slots=True)
class Phrase:
    text: str
    today: date
    expecting: Slot | None
    known: TripDraft
    slots: Mapping[str, Any]
    ask: frozenset[str]
    problems: tuple[str, ...]
    intents: frozenset[str] | None  # None: not looked at


def phrases(name: str, gazetteer: Gazetteer) -> Iterator[Phrase]:
    rows = tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))["phrase"]
    for row in rows:
        yield Phrase(
            text=row["text"],
            today=date.fromisoformat(row["today"]) if "today" in row else TODAY,
            expecting=Slot(row["expecting"]) if "expecting" in row else None,
            known=draft(row.get("known", {}), gazetteer),
            slots=row.get("slots", {}),
            ask=frozenset(row.get("ask", ())),
            problems=tuple(row.get("problems", ())),
            intents=frozenset(row["intents"]) if "intents" in row else None,
        )


def draft(known: Mapping[str, Any], gazetteer: Gazetteer) -> TripDraft:
    partial = known.get("partial")
    return TripDraft(
        origin=place(known["origin"], gazetteer) if "origin" in known else None,
        destination=place(known["destination"], gazetteer) if "destination" in known else None,
        depart=date.fromisoformat(known["depart"]) if "depart" in known else None,
        return_on=date.fromisoformat(known["return"]) if "return" in known else None,
        party=party(known["party"]) if "party" in known else None,
        cabin=Cabin(known["cabin"]) if "cabin" in known else None,
        partial_party=PartialParty(partial[0], tuple(partial[1]), partial[2], partial[3]) if partial else None,
        stay_days=known.get("stay"),
        month=date.fromisoformat(known["month"]) if "month" in known else None,
    )


def place(code: str, gazetteer: Gazetteer) -> Place:
    """``IST*`` is the city with all of its airports where ``IST`` would be the one airport."""
    return gazetteer.city_of(code[:-1]) if code.endswith("*") else gazetteer.place(code)


def party(value: Any) -> Party:
    return Party(value[0], tuple(value[1]), value[2])


def _shown(value: object) -> object:
    match value:
        case Place(code=code, kind=kind, airports=airports):
            many = kind is PlaceKind.CITY and len(airports) > 1 and code in airports
            return f"{code}*" if many else code
        case Party(adults=adults, child_ages=ages, infants=infants):
            return [adults, list(ages), infants]
        case date():
            return value.isoformat()
        case None:
            return "none"
        case _:
            return str(value)


def read(phrase: Phrase, gazetteer: Gazetteer) -> Understanding:
    return understand(
        phrase.text, today=phrase.today, gazetteer=gazetteer, expecting=phrase.expecting, known=phrase.known
    )


def compare(phrase: Phrase, understood: Understanding) -> tuple[int, list[str]]:
    """How many things were to be understood, and which of them were not, or were found without being there."""
    found = {slot.value: _shown(value) for slot, value in understood.slots.items()}
    misses = [f"{s}: {found.get(s)!r}, not {v!r}" for s, v in phrase.slots.items() if found.get(s) != v]
    misses += [f"{slot}: {value!r} was not said" for slot, value in found.items() if slot not in phrase.slots]
    asked = frozenset(ambiguity.slot.value for ambiguity in understood.ambiguities)
    if asked != phrase.ask:
        misses.append(f"asks about {sorted(asked)}, not {sorted(phrase.ask)}")
    problems = tuple(problem.kind.value for problem in understood.problems)
    if problems != phrase.problems:
        misses.append(f"problems {problems}, not {phrase.problems}")
    intents = frozenset(intent.value for intent in understood.intents)
    if phrase.intents is not None and intents != phrase.intents:
        misses.append(f"intents {sorted(intents)}, not {sorted(phrase.intents)}")
    total = len(phrase.slots) + len(phrase.ask) + len(phrase.problems) + len(phrase.intents or ())
    return max(total, 1), misses
