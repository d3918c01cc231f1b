"""The fonts on a ticket, and which of them a text needs.

Noto Sans carries the page. A name in another script brings that script's font along; fpdf2 falls back to it letter by
letter. Which letters a font has is read once and remembered. The fonts themselves are opened anew for each paper, two
as a rule (about 20 ms): fpdf2 cuts an opened font down in place when it writes the file, so one cannot be shared.
"""

from functools import lru_cache
from pathlib import Path

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from fpdf import FPDF

FOLDER = Path(__file__).parent / "fonts"

SANS = "NotoSans"
_FALLBACKS = (
    "NotoSansArabic",
    "NotoSansHebrew",
    "NotoSansDevanagari",
    "NotoSansThai",
    "NotoSansHan",
    "NotoSansHangul",
)
_SILENT = {0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF}  # they steer shaping, and draw nothing


def load(pdf: FPDF, text: str) -> None:
    """Make the fonts that ``text`` needs ready in ``pdf``, shaped and with fallbacks."""
    pdf.add_font(SANS, "", FOLDER / f"{SANS}-Regular.ttf")
    pdf.add_font(SANS, "B", FOLDER / f"{SANS}-Bold.ttf")
    fallbacks = _needed(text)
    for family in fallbacks:
        pdf.add_font(family, "", _file(family))
    if fallbacks:
        pdf.set_fallback_fonts(fallbacks, exact_match=False)
    pdf.set_text_shaping(True)


def missing(text: str) -> set[str]:
    """The characters that none of the fonts has."""
    known = _all_covered()
    return {letter for letter in text if ord(letter) not in known and letter != "\n"}


def printable(text: str) -> str:
    """The text with ``�`` for each character that no font has: left out silently, a name would be another one."""
    unknown = missing(text)
    return "".join("\ufffd" if letter in unknown else letter for letter in text) if unknown else text


def _needed(text: str) -> list[str]:
    rest = {ord(letter) for letter in text} - _coverage(SANS)
    families = []
    for family in _FALLBACKS:
        if rest & _coverage(family):
            families.append(family)
            rest -= _coverage(family)
    return families


@lru_cache
def _all_covered() -> frozenset[int]:
    return _coverage(SANS).union(_SILENT, *map(_coverage, _FALLBACKS))


@lru_cache
def _coverage(family: str) -> frozenset[int]:
    with TTFont(_file(family), lazy=True) as font:
        return frozenset(font.getBestCmap())


def _file(family: str) -> Path:
    return FOLDER / f"{family}-Regular.ttf"
