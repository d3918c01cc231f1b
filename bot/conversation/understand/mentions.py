"""Which places a message names: codes, names, countries and misspelt names, each only where it can be one.

Many towns are called like ordinary words ("Nice", "Of") and most three-letter words are some airport's code, so a
word is taken for a place more easily the more its surroundings announce one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.conversation.understand.lexicon import Kind
from bot.conversation.understand.tokens import Lexeme
from bot.flights.model import Place
from bot.flights.place_names import fold
from bot.flights.places import Area, Gazetteer, MatchKind, PlaceMatch

_AMBIGUOUS_FROM = 3  # weight: a smaller namesake of a large place is not asked about
_COMMON_CODE_WEIGHT = 5  # a code in small letters that stands alone must be one everybody knows
_UNASKED_TYPO_WEIGHT = 3
_SHORTEST_UNASKED_TYPO = 5


@dataclass(frozen=True, slots=True)
class Mention:
    """A place named by lexemes ``start`` to ``end`` (exclusive): one of ``candidates``; none of them known if empty."""

    start: int
    end: int
    candidates: tuple[Place, ...]


def choose(matches: Sequence[PlaceMatch]) -> tuple[Place, ...]:
    """The place meant, or those to be asked about: namesakes that are large and about as large as the first."""
    if not matches:
        return ()
    first = matches[0]
    rivals = [
        match.place
        for match in matches[1:]
        if match.weight >= max(_AMBIGUOUS_FROM, first.weight - 1)
        and match.edits == first.edits
        and match.kind is not MatchKind.AIRPORT
        and match.place.airports[0] not in first.place.airports
    ]
    return (first.place, *rivals)


class Spotter:
    """Looks for places in one message. The number of misspelt words it looks up is limited."""

    def __init__(self, line: Sequence[Lexeme], text: str, gazetteer: Gazetteer, typo_lookups: int) -> None:
        self._line = line
        self._text = text
        self._gazetteer = gazetteer
        self._typo_lookups = typo_lookups

    def announced(self, at: int) -> Mention | None:
        """A place where "from" or "to" says that one comes, or where one was asked: ordinary words count too."""
        lexeme = self._line[at]
        if lexeme.meanings and not (lexeme.is_upper or lexeme.places or lexeme.area):
            return None
        if lexeme.meanings and lexeme.code and not lexeme.places and not lexeme.area and not lexeme.is_upper:
            return None
        if _is_small_word(lexeme) and not lexeme.is_upper:
            return None
        if lexeme.meanings and lexeme.places and lexeme.places[0].weight < 2:
            return None
        return self._known(at)

    def plain(self, at: int, paired: bool) -> Mention | None:
        """A place that nothing announces. ``paired``: another place or its sign stands right beside."""
        lexeme = self._line[at]
        if lexeme.area is not None and not lexeme.meanings and (not lexeme.places or lexeme.words > 1):
            return self._known(at)
        if lexeme.places and lexeme.places[0].weight >= 2:
            if not lexeme.meanings and not lexeme.weak_place:
                return self._known(at)
            if (paired or (lexeme.is_capitalised and at > 0)) and not _is_small_word(lexeme):
                return self._known(at)
        if lexeme.code is not None:
            alone = not lexeme.meanings and lexeme.code.weight >= _COMMON_CODE_WEIGHT
            if lexeme.is_upper and (paired or not _is_small_word(lexeme)):
                return self._known(at)
            if not lexeme.meanings and (alone or paired):
                return self._known(at)
        return None

    def misspelt(self, at: int, asked: bool) -> Mention | None:
        """A place nearly spelt by the unknown words from here on, three at most."""
        most = 0
        while most < 3 and at + most < len(self._line) and self._line[at + most].is_unknown_word:
            most += 1
        for words in range(most, 0, -1):
            end = at + words
            name = " ".join(lexeme.text for lexeme in self._line[at:end])
            if self._typo_lookups <= 0 or (not asked and len(name) < _SHORTEST_UNASKED_TYPO):
                return None
            self._typo_lookups -= 1
            matches = self._gazetteer.typos(name, min_weight=2 if asked else _UNASKED_TYPO_WEIGHT)
            if not asked:
                matches = [match for match in matches if match.edits == 1]
            if matches:
                return Mention(at, end, choose([match for match in matches if match.edits == matches[0].edits]))
        return None

    def unknown(self, at: int) -> Mention:
        """The unknown words from here on, as a place that there is not, or no more."""
        end = at + 1
        while end < len(self._line) and end - at < 4 and self._line[end].is_unknown_word:
            end += 1
        return Mention(at, end, ())

    def _known(self, at: int) -> Mention | None:
        lexeme = self._line[at]
        matches: tuple[PlaceMatch, ...] = lexeme.places
        if lexeme.code is not None and (lexeme.is_upper or not matches or len(lexeme.text) == 3):
            same = [match for match in matches if match.place != lexeme.code.place and not lexeme.is_upper]
            matches = tuple(same) if same and same[0].weight > lexeme.code.weight else (lexeme.code,)
        if matches:
            return self._with_code(self._qualified(at, matches))
        return _of_area(at, lexeme.area) if lexeme.area is not None else None

    def _qualified(self, at: int, matches: Sequence[PlaceMatch]) -> Mention:
        """``Birmingham, Alabama``: the country or state after the name chooses, where it fits."""
        follows = at + 1
        comma = follows < len(self._line) and self._line[follows].has(Kind.COMMA)
        follows += comma
        for end in range(min(follows + 3, len(self._line)), follows, -1):
            words = self._line[follows:end]
            name = fold(self._text[words[0].start : words[-1].end])
            if not all(word.is_word for word in words) or not self._gazetteer.is_qualifier(name):
                continue
            certain = comma or words[0].is_upper or words[0].area is not None
            within = self._gazetteer.within(matches, name)
            if within and certain and not (len(name) == 2 and words[0].meanings and not words[0].is_upper):
                return Mention(at, end, (within[0].place,))
            area = self._gazetteer.area(name)
            if comma and area is not None and area.code.startswith("US-") and matches[0].place.country != "US":
                return Mention(at, end, ())
        return Mention(at, at + 1, choose(matches))

    def _with_code(self, mention: Mention) -> Mention:
        """``Lagos (LOS)``, ``London Heathrow (LHR)``: the code in brackets after the name is the same place."""
        after = self._line[mention.end : mention.end + 3]
        if len(after) < 3 or not (after[0].has(Kind.OPEN) and after[2].has(Kind.CLOSE)):
            return mention
        code = after[1].code
        if code is None or not any(code.place.airports[0] in place.airports for place in mention.candidates):
            return mention
        return Mention(mention.start, mention.end + 3, (code.place,))


def _of_area(at: int, area: Area) -> Mention:
    return Mention(at, at + 1, area.cities)


def _is_small_word(lexeme: Lexeme) -> bool:
    """A word of the grammar: "to", "in", "sat", "for"."""
    return bool(set(lexeme.meanings) - {Kind.NOISE, Kind.POLITE, Kind.FAMILY, Kind.GROUP})
