"""How names of places are compared and shortened: one folding for what the data says and what a traveller writes."""

import re
import unicodedata

# Letters that Unicode does not take apart into a base letter and a mark.
_PLAIN = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})
_DROPPED = re.compile(r"['’ʻʼ`´.]")
_NOT_WORD = re.compile(r"[\W_]+")
# Words that say that a thing is an airport, not which one.
_GENERIC = {"airport", "international", "intl", "aeropuerto", "aeroporto", "airfield", "regional", "municipal", "ntl"}


def fold(text: str) -> str:
    """Lower case, no accents, no punctuation, single spaces: ``São-Paulo`` and ``sao paulo`` are the same."""
    folded = text.casefold()
    if not folded.isascii():
        apart = unicodedata.normalize("NFKD", folded.translate(_PLAIN))
        folded = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return _NOT_WORD.sub(" ", _DROPPED.sub("", folded)).strip()


def city_name(raw: str) -> str:
    """``Ketaping/Padang, Sumatra Island`` is ``Ketaping``; ``Jijoca (Cruz)`` is ``Jijoca``."""
    return re.split(r"[,/(]", raw, maxsplit=1)[0].strip()


def airport_name(raw: str, city: str) -> str:
    """What people call the airport: ``London Heathrow Airport`` in London is ``Heathrow``.

    The city where nothing else is left (``Munich International Airport``).
    """
    words = [word for word in re.split(r"[\s/]+|-(?=\w)", raw) if word.strip("-").casefold() not in _GENERIC]
    words = [word for word in words if word.strip("-")]
    of_city = city.casefold().split()
    start = [word.casefold() for word in words[: len(of_city)]]
    end = [word.casefold() for word in words[len(words) - len(of_city) :]]
    if len(words) > len(of_city) > 0:
        words = words[len(of_city) :] if start == of_city else words[: -len(of_city)] if end == of_city else words
    return " ".join(words) or city
