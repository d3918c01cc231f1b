"""The words of a language by what they mean: read from ``languages/<code>.toml``. A further language is such a file.

A phrase may mean several things ("second": an ordinal, a unit of time); the grammar takes the meaning that fits.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from rapidfuzz.distance import OSA

from bot.flights.place_names import fold


class Kind(StrEnum):
    """What a word can mean in a request for a flight."""

    # with a value
    MONTH = "MONTH"  # 1 to 12
    WEEKDAY = "WEEKDAY"  # 0 (Monday) to 6
    NUMBER = "NUMBER"
    ORDINAL = "ORDINAL"  # "12th", "twelfth"
    UNIT = "UNIT"  # length in days: day, night, week
    DAY_OFFSET = "DAY_OFFSET"  # days from today: tomorrow
    PART = "PART"  # of a month, as its day: start, middle, end
    HOLIDAY = "HOLIDAY"  # month and day, "1225"
    COMPANION = "COMPANION"  # how many adults: wife 1, parents 2
    CABIN = "CABIN"  # a Cabin's value
    SLOT = "SLOT"  # a Slot's value, named: "return date"
    # numerals as written
    DIGITS = "DIGITS"
    DAY = "DAY"  # digits that can be a day of a month
    YEAR = "YEAR"  # four digits
    YEAR2 = "YEAR2"  # two digits
    # small words
    A = "A"
    THE = "THE"
    OF = "OF"
    AND = "AND"
    ON = "ON"
    IN = "IN"
    FOR = "FOR"
    WITH = "WITH"
    NOT = "NOT"
    MY = "MY"
    NEXT = "NEXT"
    THIS = "THIS"
    LATER = "LATER"
    AFTER = "AFTER"
    FROM_NOW = "FROM_NOW"
    UNTIL = "UNTIL"
    BETWEEN = "BETWEEN"
    TO = "TO"
    FROM = "FROM"
    # the trip
    LEAVE = "LEAVE"
    RETURN = "RETURN"
    ROUND_TRIP = "ROUND_TRIP"
    ONE_WAY = "ONE_WAY"
    WEEKEND = "WEEKEND"
    SAME_DAY = "SAME_DAY"
    MONTH_UNIT = "MONTH_UNIT"
    YEAR_UNIT = "YEAR_UNIT"
    CLOCK = "CLOCK"  # after a number: a time of day
    ORDINAL_SUFFIX = "ORDINAL_SUFFIX"
    CLASS = "CLASS"
    # travellers
    ADULT = "ADULT"
    CHILD = "CHILD"
    CHILDREN = "CHILDREN"  # in the plural: how many may be left open
    INFANT = "INFANT"
    PERSON = "PERSON"
    FRIENDS = "FRIENDS"
    SELF = "SELF"
    ALONE = "ALONE"
    COUPLE = "COUPLE"
    FAMILY = "FAMILY"
    GROUP = "GROUP"
    WE_ARE = "WE_ARE"
    AGED = "AGED"
    YEAR_OLD = "YEAR_OLD"
    MONTH_OLD = "MONTH_OLD"
    MORE = "MORE"
    ADD = "ADD"
    INCLUDING = "INCLUDING"
    # intents
    YES = "YES"
    ASSENT = "ASSENT"  # yes, where it is the whole message
    NO = "NO"
    CHANGE = "CHANGE"
    FASTEST = "FASTEST"
    CHEAPEST = "CHEAPEST"
    SHOW_MORE = "SHOW_MORE"
    CANCEL = "CANCEL"
    BACK = "BACK"
    HELP = "HELP"
    GREETING = "GREETING"
    THANKS = "THANKS"
    START_OVER = "START_OVER"
    PAY_CARD = "PAY_CARD"
    PAY_USDC = "PAY_USDC"
    PAY_ONCHAIN = "PAY_ONCHAIN"
    CHOICE = "CHOICE"  # before a choice's number
    ONE = "ONE"  # after a choice's ordinal
    POLITE = "POLITE"  # may stand around a short answer
    NOISE = "NOISE"  # known to mean nothing here
    # signs
    DASH = "DASH"
    SLASH = "SLASH"
    DOT = "DOT"
    COMMA = "COMMA"
    COLON = "COLON"
    PLUS = "PLUS"
    OPEN = "OPEN"
    CLOSE = "CLOSE"
    ARROW = "ARROW"
    STOP = "STOP"  # ends a sentence


Meanings = Mapping[Kind, int | str]

_NUMERIC = {Kind.MONTH, Kind.WEEKDAY, Kind.NUMBER, Kind.ORDINAL, Kind.UNIT, Kind.DAY_OFFSET, Kind.PART, Kind.COMPANION}
# What a misspelt word may be meant to be; names of places are looked for apart.
_TYPO_KINDS = {
    *(Kind.MONTH, Kind.WEEKDAY, Kind.DAY_OFFSET, Kind.UNIT, Kind.CABIN, Kind.HOLIDAY, Kind.RETURN, Kind.WEEKEND),
    *(Kind.ADULT, Kind.CHILD, Kind.CHILDREN, Kind.INFANT, Kind.PERSON, Kind.CHEAPEST, Kind.FASTEST, Kind.CANCEL),
}
_SHORTEST_TYPO = 4


@dataclass(frozen=True, slots=True)
class Lexicon:
    """``phrases`` are folded. ``weak_places`` and ``weak_dates``: words that mean that only in the right spot."""

    phrases: Mapping[str, Meanings]
    longest: int  # words of the longest phrase
    weak_places: frozenset[str]
    weak_dates: frozenset[str]
    typo_targets: Mapping[tuple[int, str], tuple[str, ...]]  # by length and first letter
    details: Mapping[str, tuple[str, str]]  # in travellers' details: phrase to what it is ("title") and its value ("f")

    def typo(self, word: str) -> tuple[str, int] | None:
        """The word of this language that ``word`` (folded, unknown) is nearest to, and by how many edits."""
        if not _SHORTEST_TYPO <= len(word) <= 20:
            return None
        allowed = 1 if len(word) < 7 else 2
        best: tuple[str, int] | None = None
        for length in range(len(word) - allowed, len(word) + allowed + 1):
            for target in self.typo_targets.get((length, word[0]), ()):
                edits = OSA.distance(word, target, score_cutoff=allowed)
                if edits <= allowed and (best is None or edits < best[1]):
                    best = target, edits
        return best


@cache
def load_lexicon(language: str) -> Lexicon:
    """The lexicon of a language (``en``), read once. Raises FileNotFoundError for one there is no file for."""
    path = Path(__file__).with_name("languages") / f"{language}.toml"
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    phrases: dict[str, dict[Kind, int | str]] = defaultdict(dict)
    for name, values in data["values"].items():
        kind = Kind(name)
        for value, words in values.items():
            for word in words:
                phrases[fold(word)][kind] = int(value) if kind in _NUMERIC else value
    for name, words in data["kinds"].items():
        for word in words:
            phrases[fold(word)][Kind(name)] = 1
    return Lexicon(
        phrases=dict(phrases),
        longest=max(len(phrase.split()) for phrase in phrases),
        weak_places=frozenset(map(fold, data["weak"]["PLACE"])),
        weak_dates=frozenset(map(fold, data["weak"]["DATE"])),
        typo_targets=_typo_targets(phrases.items()),
        details={
            fold(word): (what, value)
            for what, values in data["details"].items()
            for value, words in values.items()
            for word in words
        },
    )


def _typo_targets(phrases: Iterable[tuple[str, Meanings]]) -> dict[tuple[int, str], tuple[str, ...]]:
    targets: dict[tuple[int, str], list[str]] = defaultdict(list)
    for phrase, meanings in phrases:
        if " " not in phrase and len(phrase) >= _SHORTEST_TYPO and not _TYPO_KINDS.isdisjoint(meanings):
            targets[len(phrase), phrase[0]].append(phrase)
    return {key: tuple(words) for key, words in targets.items()}
