"""A person's name as typed, in any script, and which part of it is the family name."""

import re
import unicodedata
from dataclasses import dataclass

LONGEST_NAME = 20  # letters of the given and of the family name: what airline sources take (Duffel: 1 to 20)

_MARKS = {"'", "’", "ʼ", "ʻ", "`", "-", "‐", "‑", ".", "·"}
# Small words that begin a family name.
_PARTICLES = {
    *("de", "da", "do", "dos", "das", "del", "della", "di", "du", "la", "le", "van", "von", "der", "den", "ten", "ter"),
    *("bin", "ibn", "al", "el", "ben", "bint", "st", "abu", "zu", "af"),
}
# Chinese family names of two characters; all others have one.
_DOUBLE_FAMILY_NAMES = frozenset(
    ["歐陽", "欧阳", "司馬", "司马", "諸葛", "诸葛", "上官", "司徒", "東方", "东方", "夏侯", "皇甫"]
)

# Words of talk. One may be a name (Do, The); two make a sentence.
_TALK = frozenset(
    [
        *("i", "i'm", "am", "you", "your", "my", "we", "it", "this", "that", "the", "what", "why", "how", "when"),
        *("where", "which", "who", "is", "are", "do", "don't", "dont", "doesn't", "not", "no", "can", "could", "would"),
        *("should", "need", "want", "understand", "know", "change", "flight", "please", "sorry", "all", "and", "wait"),
        *("one", "moment", "minute", "second", "just", "hold", "hang", "give", "let", "me", "later", "earlier"),
        *("from", "to", "leave", "make", "other", "another", "different", "cheaper", "flights", "offers", "ones"),
    ]
)


@dataclass(frozen=True, slots=True)
class FullName:
    given: str | None
    family: str | None


def is_name(text: str) -> bool:
    """Letters with their marks, spaces, hyphens, apostrophes, dots of initials; at least one letter."""
    return any(letter.isalpha() for letter in text) and all(
        sign.isalpha() or sign == " " or sign in _MARKS or unicodedata.category(sign) in {"Mn", "Mc", "Cf"}
        for sign in text
    )


def is_talk(words: list[str]) -> bool:
    """``I don't understand``: a sentence, though it is letters only."""
    return sum(word.casefold().replace("’", "'") in _TALK for word in words) > 1


def tidy(words: list[str]) -> str | None:
    """The words with single spaces, composed (NFC); None where nothing is left."""
    text = " ".join(" ".join(words).split()).strip(" -.")
    return unicodedata.normalize("NFC", text) or None


def split_name(words: list[str]) -> FullName:
    """Given and family name. Capitals mark the family name (``Ada OBI``), and so do particles (``Maria de la Cruz``);
    Chinese, Japanese and Korean names begin with it; else the last word is it. One word alone is a given name.
    """
    if not words:
        return FullName(None, None)
    if all(_is_east_asian(word) for word in words):
        return _split_east_asian(words)
    if len(words) == 1:
        return FullName(tidy(words), None)
    capitals = [word for word in words if len(word) > 2 and word.isupper()]
    if capitals and len(capitals) < len(words):
        return FullName(tidy([word for word in words if word not in capitals]), tidy(capitals))
    for at, word in enumerate(words[1:], 1):
        if word.casefold().strip(".") in _PARTICLES and at < len(words) - 1:
            return FullName(tidy(words[:at]), tidy(words[at:]))
    return FullName(tidy(words[:-1]), tidy(words[-1:]))


def _is_east_asian(word: str) -> bool:
    return bool(re.fullmatch(r"[\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af\u3040-\u30ff\u3005]+", word))


def _split_east_asian(words: list[str]) -> FullName:
    if len(words) > 1:
        return FullName(tidy(words[1:]), words[0])
    name = words[0]
    cut = 2 if name[:2] in _DOUBLE_FAMILY_NAMES and len(name) > 2 else 1
    return FullName(name[cut:] or None, name[:cut])
