"""What phrases are made of: ``text("Send ", code("1.00 CLAYER"), " before ", bold("15:42 UTC"))``.

A ``Text`` is a tuple of ``Span`` whose words are raw: nothing a traveller wrote can become markup, because each
channel escapes in its own way when it renders (``bot/channels/rendering.py``).
"""

import unicodedata
from collections.abc import Iterable

from bot.channels.model import Span, Style, Text

Piece = str | Span | Text

_MERGEABLE = (Style.PLAIN, Style.BOLD, Style.ITALIC)  # two codes side by side stay two things to copy
_NEWLINES = dict.fromkeys("\r\v\f\x85\u2028\u2029", "\n")
_KEPT_CONTROLS = frozenset("\n\t").union(_NEWLINES)


def text(*pieces: Piece) -> Text:
    """One ``Text`` of strings, spans and texts, in order. Empty pieces vanish; equal neighbours become one span."""
    spans: list[Span] = []
    for piece in pieces:
        for span in _spans(piece):
            if not span.text:
                continue
            if spans and _may_merge(spans[-1], span):
                spans[-1] = Span(spans[-1].text + span.text, span.style)
            else:
                spans.append(span)
    return tuple(spans)


def bold(words: str) -> Span:
    return Span(words, Style.BOLD)


def italic(words: str) -> Span:
    return Span(words, Style.ITALIC)


def code(words: str) -> Span:
    """Something to copy: an address, an amount, a reference. As a message of its own it is exactly these words."""
    return Span(words, Style.CODE)


def link(url: str, label: str | None = None) -> Span:
    """A link (http or https). WhatsApp knows no labels: there it reads ``label: url``."""
    return Span(label or url, Style.PLAIN, link=url)


def join(separator: Piece, pieces: Iterable[Piece]) -> Text:
    """The pieces that are not empty, with the separator between them."""
    parts: list[Piece] = []
    for piece in pieces:
        if not text(piece):
            continue
        if parts:
            parts.append(separator)
        parts.append(piece)
    return text(*parts)


def lines(*pieces: Piece) -> Text:
    """Each piece on a line of its own; empty ones leave no line."""
    return join("\n", pieces)


def paragraphs(*pieces: Piece) -> Text:
    """Each piece a paragraph; empty ones leave nothing."""
    return join("\n\n", pieces)


def plain(words: Text) -> str:
    """The words alone, for logs and lists. A labelled link reads ``label: url``."""
    return "".join(clean(_with_address(span)) for span in words)


def clean(words: str) -> str:
    """Without what no channel can carry: control characters but newline and tab, and halves of surrogate pairs."""
    if words.isprintable():
        return words
    return "".join(_NEWLINES.get(c, c) for c in words.replace("\r\n", "\n") if _is_carried(c))


def _is_carried(character: str) -> bool:
    return character in _KEPT_CONTROLS or unicodedata.category(character) not in ("Cc", "Cs")


def _with_address(span: Span) -> str:
    return f"{span.text}: {span.link}" if span.link and span.link != span.text else span.text


def _spans(piece: Piece) -> Iterable[Span]:
    if isinstance(piece, str):
        return (Span(piece),)
    return (piece,) if isinstance(piece, Span) else piece


def _may_merge(one: Span, other: Span) -> bool:
    return one.style is other.style and one.link is None and other.link is None and one.style in _MERGEABLE
