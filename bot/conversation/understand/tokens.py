"""Cuts a message into lexemes: words, phrases, numbers, signs and place names, each with everything it can mean."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.conversation.understand.lexicon import Kind, Lexicon, Meanings
from bot.flights.place_names import fold
from bot.flights.places import Area, Gazetteer, PlaceMatch

# Digits, words (with their combining marks, and apostrophes inside), or a single sign. Linear: no part can start
# where another could also have continued.
_TOKEN = re.compile(r"\d+|(?:[^\W\d_][\u0300-\u036f]*)+(?:['’ʼ](?:[^\W\d_][\u0300-\u036f]*)+)*|->|=>|[^\s]")
_SIGNS = {
    **dict.fromkeys("-–—‐‑~", Kind.DASH),
    **dict.fromkeys(["→", "->", "=>", ">", "➔", "➡", "✈", "»"], Kind.ARROW),
    **dict.fromkeys("!?;…", Kind.STOP),
    **dict.fromkeys("([", Kind.OPEN),
    **dict.fromkeys(")]", Kind.CLOSE),
    "/": Kind.SLASH,
    ".": Kind.DOT,
    ",": Kind.COMMA,
    "،": Kind.COMMA,
    ":": Kind.COLON,
    "+": Kind.PLUS,
    "&": Kind.AND,
}
_LONGEST_NUMBER = 8  # digits: a date written as 20261205


@dataclass(frozen=True, slots=True)
class Token:
    raw: str
    text: str  # folded; a sign as it is
    start: int
    end: int
    is_word: bool
    touches: bool  # nothing stands between it and the token before


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A piece of the message that means something as a whole. ``meanings`` is empty for an unknown word."""

    text: str
    start: int
    end: int
    touches: bool
    meanings: Meanings
    places: tuple[PlaceMatch, ...] = ()
    code: PlaceMatch | None = None  # where it can be read as an IATA code
    area: Area | None = None
    words: int = 1
    is_upper: bool = False
    is_capitalised: bool = False
    is_word: bool = False
    weak_date: bool = False  # a date only where one stands ("may", "sat")
    weak_place: bool = False  # a place only where one is asked or announced ("nice", "reading")

    def has(self, *kinds: Kind) -> bool:
        return any(kind in self.meanings for kind in kinds)

    @property
    def is_unknown_word(self) -> bool:
        return self.is_word and not self.meanings

    @property
    def can_be_place(self) -> bool:
        return bool(self.places or self.code or self.area)


def tokenize(text: str) -> list[Token]:
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        raw = match.group()
        is_word = raw[0].isalpha()
        touches = bool(tokens) and tokens[-1].end == match.start()
        folded = fold(raw) if is_word else raw
        tokens.append(Token(raw, folded or raw, match.start(), match.end(), is_word and bool(folded), touches))
    return tokens


def lexemes(text: str, lexicon: Lexicon, gazetteer: Gazetteer | None) -> list[Lexeme]:
    """The longest phrase of the language or name of a place at each point; a name only wins by being longer.

    Without a gazetteer nothing is a place.
    """
    tokens = tokenize(text)
    shouting = text.isupper() and sum(1 for token in tokens if token.is_word) > 1
    found: list[Lexeme] = []
    at = 0
    while at < len(tokens):
        phrase_end, phrase = _longest(tokens, at, lexicon.longest, lexicon.phrases)
        lexeme = _place_phrase(tokens, at, phrase_end, gazetteer) or _ordinal(tokens, at, lexicon)
        if lexeme is None and phrase is not None and phrase_end - at > 1:
            lexeme = _joined(tokens[at:phrase_end], phrase, lexicon.phrases[phrase])
        lexeme = lexeme or _single(tokens[at], lexicon, gazetteer, shouting)
        found.append(lexeme)
        at = next((i for i in range(at + 1, len(tokens)) if tokens[i].start >= lexeme.end), len(tokens))
    return found


def _phrases_from(tokens: Sequence[Token], at: int, most: int) -> list[tuple[int, str]]:
    """(end, folded text) of the one, two, … words from here on; hyphens and dots inside do not count."""
    phrases: list[tuple[int, str]] = []
    words: list[str] = []
    for index in range(at, min(len(tokens), at + 2 * most)):
        token = tokens[index]
        if token.is_word:
            words.append(token.text)
            phrases.append((index + 1, " ".join(words)))
            if len(words) == most:
                break
            continue
        hyphen = token.raw in "-‐‑" and index + 1 < len(tokens) and tokens[index + 1].touches
        if not words or not token.touches or not (hyphen or token.raw == "."):
            break
    return phrases


def _longest(tokens: Sequence[Token], at: int, most: int, known: Mapping[str, object]) -> tuple[int, str | None]:
    for end, phrase in reversed(_phrases_from(tokens, at, most)):
        if phrase in known:
            return end, phrase
    return at, None


def _place_phrase(tokens: Sequence[Token], at: int, phrase_end: int, gazetteer: Gazetteer | None) -> Lexeme | None:
    """A name of several words ("new york", "united states"), where it is longer than what the language offers."""
    if gazetteer is None:
        return None
    for end, phrase in reversed(_phrases_from(tokens, at, gazetteer.max_words)):
        if end <= phrase_end or " " not in phrase:
            return None
        places, area = gazetteer.named(phrase), gazetteer.area_named(phrase)
        if area is not None or (places and places[0].weight >= 2):
            return _joined(tokens[at:end], phrase, {}, places, area)
    return None


def _ordinal(tokens: Sequence[Token], at: int, lexicon: Lexicon) -> Lexeme | None:
    """``12th`` as one."""
    if at + 1 >= len(tokens) or not tokens[at].raw.isdecimal() or not tokens[at + 1].touches:
        return None
    if Kind.ORDINAL_SUFFIX not in lexicon.phrases.get(tokens[at + 1].text, {}) or len(tokens[at].raw) > 2:
        return None
    return _joined(tokens[at : at + 2], tokens[at].raw, {Kind.ORDINAL: int(tokens[at].raw)})


def _joined(
    tokens: Sequence[Token],
    text: str,
    meanings: Meanings,
    places: tuple[PlaceMatch, ...] = (),
    area: Area | None = None,
) -> Lexeme:
    first, last = tokens[0], tokens[-1]
    return Lexeme(
        text=text,
        start=first.start,
        end=last.end,
        touches=first.touches,
        meanings=meanings,
        places=places,
        area=area,
        words=len(text.split()),
        is_capitalised=first.raw[0].isupper(),
        is_word=True,
    )


def _single(token: Token, lexicon: Lexicon, gazetteer: Gazetteer | None, shouting: bool) -> Lexeme:
    if not token.is_word:
        return Lexeme(token.text, token.start, token.end, token.touches, _sign_or_digits(token.raw))
    meanings = lexicon.phrases.get(token.text, {})
    return Lexeme(
        text=token.text,
        start=token.start,
        end=token.end,
        touches=token.touches,
        meanings=meanings,
        places=gazetteer.named(token.text) if gazetteer else (),
        code=gazetteer.coded(token.text) if gazetteer and token.raw.isascii() else None,
        area=gazetteer.area_named(token.text) if gazetteer else None,
        is_upper=token.raw.isupper() and not shouting,
        is_capitalised=token.raw[0].isupper() and not shouting,
        is_word=True,
        weak_date=token.text in lexicon.weak_dates,
        weak_place=token.text in lexicon.weak_places,
    )


def _sign_or_digits(raw: str) -> Meanings:
    if not raw.isdecimal():
        kind = _SIGNS.get(raw)
        return {kind: 1} if kind is not None else {}
    if len(raw) > _LONGEST_NUMBER:
        return {}
    value = int(raw)
    meanings: dict[Kind, int | str] = {Kind.DIGITS: value}
    if len(raw) <= 3:
        meanings[Kind.NUMBER] = value
    if len(raw) <= 2 and 1 <= value <= 31:
        meanings[Kind.DAY] = value
    if len(raw) == 2:
        meanings[Kind.YEAR2] = 2000 + value
    if len(raw) == 4 and 1900 <= value <= 2100:
        meanings[Kind.YEAR] = value
    return meanings
