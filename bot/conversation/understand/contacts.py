"""E-mail addresses and phone numbers in a text."""

import re
import unicodedata
from dataclasses import dataclass

_EMAIL_LIKE = re.compile(r"[^\s,;<>()\"@]{1,100}@[^\s,;<>()\"]{0,300}")
# Each part is bounded, and a dot ends it: nothing to try twice.
_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}")
_PHONE_LIKE = re.compile(r"(?:\+|\b00)?[ (]{0,2}\d[\d ().\-/\u00a0]{4,28}\d")
_FEWEST_DIGITS, _MOST_DIGITS = 7, 15  # E.164 allows fifteen; no subscriber has fewer than seven with the country code


@dataclass(frozen=True, slots=True)
class Spotted:
    """Something at ``start`` to ``end`` of the text; ``value`` None where it is not valid."""

    value: str | None
    start: int
    end: int
    has_country: bool = True


def find_emails(text: str) -> list[Spotted]:
    """Everything with an @ in it. The domain in lower case."""
    found = []
    for match in _EMAIL_LIKE.finditer(text):
        address = match.group().strip(".:'<>").removeprefix("mailto:")
        local, _, domain = address.rpartition("@")
        valid = _EMAIL.fullmatch(address) is not None and ".." not in address and not local.startswith(".")
        found.append(Spotted(f"{local}@{domain.lower()}" if valid else None, match.start(), match.end()))
    return found


def find_phones(text: str) -> list[Spotted]:
    """Numbers of seven digits and more, as E.164. Without + or 00 the country is not known."""
    found = []
    for match in _PHONE_LIKE.finditer(text):
        written = match.group().replace("(0)", "") if match.group().startswith("+") else match.group()
        digits = "".join(str(unicodedata.digit(sign)) for sign in written if sign.isdecimal())
        has_country = match.group().startswith("+") or digits.startswith("00")
        number = digits.removeprefix("00") if has_country else digits
        if len(digits) < _FEWEST_DIGITS:
            continue
        valid = has_country and _FEWEST_DIGITS <= len(number) <= _MOST_DIGITS and number[0] != "0"
        found.append(Spotted(f"+{number}" if valid else None, match.start(), match.end(), has_country))
    return found
