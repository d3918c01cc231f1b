"""Reads a ticket as a person would: what is printed on it."""

import unicodedata
from collections.abc import Iterable
from io import BytesIO

from pypdf import PdfReader


def missing_words(pdf: bytes, expected: Iterable[str]) -> list[str]:
    """Those of the expected words that stand nowhere on the pages. Case and line breaks do not count.

    Raises pypdf.errors.PdfReadError where it is no PDF.
    """
    printed = _plain("".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages))
    return [words for words in expected if _plain(words) not in printed]


def _plain(words: str) -> str:
    return "".join(unicodedata.normalize("NFKC", words).casefold().split())
