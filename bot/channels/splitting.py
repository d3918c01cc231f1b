"""Cutting a ``Text`` that is too long for one message, between paragraphs, lines or words.

Nothing but the blanks at a cut is lost. A styled span (an address, a link, an amount) is kept in one piece as long
as it fits into a message at all; a character made of several code points is never torn.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import regex

from bot.channels.model import Span, Style, Text
from bot.channels.text import clean, text

Measure = Callable[[Text], int]


class Break(IntEnum):
    """How good a place to cut is."""

    NONE = 0
    WORD = 1
    LINE = 2
    PARAGRAPH = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """A bit of text that is kept whole; blanks are pieces at which a cut may be."""

    span: Span
    cut: Break = Break.NONE


_BLANKS = regex.compile(r"(\s*\n\s*\n\s*|[^\S\n]*\n[^\S\n]*|[^\S\n]+)")
_CHARACTERS = regex.compile(r"\X")


def split(words: Text, limit: int, measure: Measure) -> list[Text]:
    """The words as one or more texts, each with ``measure(part) <= limit``. Blank text: no part at all."""
    words = text(*(Span(clean(span.text), span.style, span.link) for span in words))
    if measure(words) <= limit:
        return [words] if any(span.text.strip() for span in words) else []
    pieces = [piece for span in words for piece in _pieces(span, limit, measure)]
    parts: list[Text] = []
    start = 0
    while (start := _skip_blanks(pieces, start)) < len(pieces):
        end = _fitting(pieces, start, limit, measure)
        cut = end if end == len(pieces) else _best_cut(pieces, start, end)
        part = _joined(pieces[start:cut])
        if part:
            parts.append(part)
        start = cut
    return parts


def _pieces(span: Span, limit: int, measure: Measure) -> Iterator[Piece]:
    is_plain = span.style is Style.PLAIN and span.link is None
    if not is_plain and measure((span,)) <= limit:
        yield Piece(span)
        return
    for bit in _BLANKS.split(span.text):
        if not bit:
            continue
        alike = Span(bit, span.style, span.link)
        if bit.isspace():
            yield Piece(alike, _break_of(bit))
        elif measure((alike,)) <= limit:
            yield Piece(alike)
        else:
            yield from (Piece(Span(c, span.style, span.link)) for c in _characters(bit, limit, measure))


def _characters(word: str, limit: int, measure: Measure) -> Iterator[str]:
    for character in _CHARACTERS.findall(word):
        if measure((Span(character),)) <= limit:
            yield character
        else:
            yield from character


def _break_of(blank: str) -> Break:
    newlines = blank.count("\n")
    return Break.PARAGRAPH if newlines > 1 else Break.LINE if newlines else Break.WORD


def _skip_blanks(pieces: Sequence[Piece], start: int) -> int:
    while start < len(pieces) and pieces[start].cut:
        start += 1
    return start


def _fitting(pieces: Sequence[Piece], start: int, limit: int, measure: Measure) -> int:
    """The end of the longest run from ``start`` that fits; always at least one piece."""
    low, high = start + 1, len(pieces)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(_joined(pieces[start:middle])) <= limit:
            low = middle
        else:
            high = middle - 1
    while low > start + 1 and measure(_joined(pieces[start:low])) > limit:  # marks make lengths a little uneven
        low -= 1
    return low


def _best_cut(pieces: Sequence[Piece], start: int, end: int) -> int:
    """Where to cut at or before ``end``: the best kind of break in the second half, else the last there is."""
    blanks = [i for i in range(start + 1, end + 1) if pieces[i].cut]
    if not blanks:
        return end
    late = [i for i in blanks if i - start >= (end - start) // 2]
    return max(late or blanks, key=lambda i: (pieces[i].cut, i))


def _joined(pieces: Sequence[Piece]) -> Text:
    """The pieces as one text, neighbours of the same style made whole again, without blanks at its end."""
    end = len(pieces)
    while end and pieces[end - 1].cut:
        end -= 1
    spans: list[Span] = []
    for piece in pieces[:end]:
        span = piece.span
        if spans and (spans[-1].style, spans[-1].link) == (span.style, span.link) and span.style is not Style.CODE:
            spans[-1] = Span(spans[-1].text + span.text, span.style, span.link)
        else:
            spans.append(span)
    return text(*spans)
