"""Makes bot/tickets/fonts: the Noto fonts of npm's @expo-google-fonts, cut down to what names and tickets need.

    npm pack @expo-google-fonts/noto-sans@0.4.2 …  (the packages in PACKAGES), each unpacked beside the others
    python scripts/subset_fonts.py <folder with the unpacked packages>

Needs fontTools alone, which fpdf2 brings.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from fontTools import subset  # type: ignore[import-untyped]
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

TARGET = Path(__file__).parents[1] / "bot" / "tickets" / "fonts"

PACKAGES = {
    "noto-sans": "0.4.2",
    "noto-sans-arabic": "0.4.3",
    "noto-sans-hebrew": "0.4.1",
    "noto-sans-devanagari": "0.4.1",
    "noto-sans-thai": "0.4.2",
    "noto-sans-sc": "0.4.3",
    "noto-sans-kr": "0.4.3",
}

LATIN_GREEK_CYRILLIC = [
    (0x0020, 0x052F),  # Latin with its extensions, IPA, combining marks, Greek, Cyrillic
    (0x1AB0, 0x1AFF),
    (0x1DC4, 0x1DCF),
    (0x1E00, 0x1FFF),  # Latin for Vietnamese and Yoruba, polytonic Greek
    (0x2000, 0x206F),
    (0x20A0, 0x20CF),
    (0x2116, 0x2122),
    (0x2190, 0x2193),
    (0x2212, 0x2215),
    (0x25CC, 0x25CC),
    (0xA720, 0xA7FF),
    (0xFFFD, 0xFFFD),  # stands for what no font has
]
ARABIC = [(0x0600, 0x06FF), (0x0750, 0x077F), (0x08A0, 0x08FF), (0x200C, 0x200F), (0x0020, 0x0020), (0x25CC, 0x25CC)]
HEBREW = [(0x0590, 0x05FF), (0x200C, 0x200F), (0x0020, 0x0020), (0x25CC, 0x25CC)]
DEVANAGARI = [(0x0900, 0x097F), (0x200C, 0x200D), (0x0020, 0x0020), (0x25CC, 0x25CC)]
THAI = [(0x0E00, 0x0E7F), (0x0020, 0x0020), (0x25CC, 0x25CC)]
KANA_AND_MARKS = [(0x3000, 0x30FF), (0x31F0, 0x31FF), (0xFF01, 0xFF9F)]


def main() -> None:
    source = Path(sys.argv[1])
    alphabets = set(spread(LATIN_GREEK_CYRILLIC))
    cut(source, "noto-sans", "NotoSans", "400Regular", alphabets, "NotoSans-Regular")
    cut(source, "noto-sans", "NotoSans", "700Bold", alphabets, "NotoSans-Bold")
    for package, font, ranges in (
        ("noto-sans-arabic", "NotoSansArabic", ARABIC),
        ("noto-sans-hebrew", "NotoSansHebrew", HEBREW),
        ("noto-sans-devanagari", "NotoSansDevanagari", DEVANAGARI),
        ("noto-sans-thai", "NotoSansThai", THAI),
    ):
        cut(source, package, font, "400Regular", set(spread(ranges)), f"{font}-Regular")
    cut(source, "noto-sans-sc", "NotoSansSC", "400Regular", han(), "NotoSansHan-Regular", features=[])
    cut(source, "noto-sans-kr", "NotoSansKR", "400Regular", hangul(), "NotoSansHangul-Regular", features=[])


def han() -> set[int]:
    """Chinese of both kinds and Japanese: GB 2312 whole, Big5 level 1, JIS X 0208 level 1, kana, some name variants."""
    simplified = decoded("gb2312", range(0xB0, 0xF8), range(0xA1, 0xFF))
    traditional = decoded("big5", range(0xA4, 0xC7), [*range(0x40, 0x7F), *range(0xA1, 0xFF)])
    japanese = decoded("shift_jis", range(0x88, 0x99), [*range(0x40, 0x7F), *range(0x80, 0xFD)])
    names = map(ord, "髙﨑邉邊齋龔淩祎喆堃犇芃翀昇濵澤櫻祐")
    return {*simplified, *traditional, *japanese, *names, *spread(KANA_AND_MARKS)}


def hangul() -> set[int]:
    """The 2,350 syllables of KS X 1001."""
    return set(decoded("euc_kr", range(0xB0, 0xC9), range(0xA1, 0xFF)))


def spread(ranges: Iterable[tuple[int, int]]) -> Iterator[int]:
    for first, last in ranges:
        yield from range(first, last + 1)


def decoded(encoding: str, rows: Iterable[int], cells: Iterable[int]) -> set[int]:
    """The characters of a two-byte character set."""
    cells = list(cells)
    texts = (bytes([row, cell]).decode(encoding, "ignore") for row in rows for cell in cells)
    return {ord(text) for text in texts if len(text) == 1 and ord(text) > 0x7F}


def cut(
    source: Path, package: str, font: str, weight: str, wanted: set[int], name: str, features: list[str] | None = None
) -> None:
    """One subset. ``features``: those of the font's layout that stay; by default what shaping needs."""
    path = source / f"expo-google-fonts-{package}" / "package" / weight / f"{font}_{weight}.ttf"
    options = subset.Options(
        hinting=False, notdef_outline=True, glyph_names=False, name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14]
    )
    if features is not None:
        options.layout_features = features
    with TTFont(path) as whole:
        tool = subset.Subsetter(options)
        tool.populate(unicodes=wanted)
        tool.subset(whole)
        whole.save(TARGET / f"{name}.ttf")
    print(f"{name}: {(TARGET / f'{name}.ttf').stat().st_size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
