"""Text with markup is read, and refused, as Telegram does it."""

import pytest

from sandbox.telegram.entities import CannotParse, Formatted, parse_html, trimmed
from sandbox.telegram.markdown import parse_markdown_v2

PARSERS = {"HTML": parse_html, "MarkdownV2": parse_markdown_v2}


@pytest.mark.parametrize(
    ("mode", "source", "text", "entities"),
    [
        ("HTML", "<b>1.00 CLAYER</b> &amp; <i>a</i>", "1.00 CLAYER & a", ["bold 0 11", "italic 14 1"]),
        ("HTML", "🏟 <code>0x70</code>", "🏟 0x70", ["code 3 4"]),
        ("HTML", '<a href="https://explorer.example/tx/1">0x9f</a>', "0x9f", ["text_link 0 4"]),
        ("HTML", '<a href="http://localhost/tx">0x9f</a>', "0x9f", []),
        ("HTML", '<pre><code class="language-py">x</code></pre>', "x", ["pre 0 1"]),
        (
            "HTML",
            "<u><s>x</s></u><tg-spoiler>y</tg-spoiler>",
            "xy",
            ["underline 0 1", "strikethrough 0 1", "spoiler 1 1"],
        ),
        ("HTML", "&copy; & &#128640; &lt", "&copy; & 🚀 <", []),
        ("HTML", "  <b> padded </b>  ", "padded", ["bold 0 6"]),
        ("MarkdownV2", r"*1\.00* _now_ `0x_7`", "1.00 now 0x_7", ["bold 0 4", "italic 5 3", "code 9 4"]),
        ("MarkdownV2", "_🏟 __🏟___", "🏟 🏟", ["italic 0 5", "underline 3 2"]),
        ("MarkdownV2", "```py\nx = 1```", "x = 1", ["pre 0 5"]),
        ("MarkdownV2", r"[0x9f](https://explorer\.example/\))", "0x9f", ["text_link 0 4"]),
        (
            "MarkdownV2",
            "||x|| ~y~ ![👍](tg://emoji?id=12)",
            "x y 👍",
            ["spoiler 0 1", "strikethrough 2 1", "custom_emoji 4 2"],
        ),
        ("MarkdownV2", ">quoted\n>more\nnot", "quoted\nmore\nnot", ["blockquote 0 12"]),
    ],
)
def test_markup_becomes_entities_in_utf16_units(mode: str, source: str, text: str, entities: list[str]) -> None:
    read: Formatted = trimmed(PARSERS[mode](source))
    assert read.text == text
    assert [f"{e['type']} {e['offset']} {e['length']}" for e in read.entities] == entities


@pytest.mark.parametrize(
    ("mode", "source", "complaint"),
    [
        ("HTML", "<b>never closed", 'Can\'t find end tag corresponding to start tag "b"'),
        ("HTML", "Tom <tom@example.com>", 'Unsupported start tag "tom@example.com" at byte offset 4'),
        ("HTML", "<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("HTML", "🏟</b>", "Unexpected end tag at byte offset 4"),
        ("HTML", "1 <", "Unclosed start tag at byte offset 2"),
        ("HTML", "<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("MarkdownV2", "1.00 CLAYER", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("MarkdownV2", "🏟 🏟_abacaba", "Can't find end of Italic entity at byte offset 9"),
        ("MarkdownV2", "🏟 🏟__🏟 _🏟___", "Can't find end of Italic entity at byte offset 23"),
        ("MarkdownV2", ">asd\n>q||ew\n||asdad", "Can't find end of Spoiler entity at byte offset 7"),
        ("MarkdownV2", r"[telegram\.org](asd", "Can't find end of a URL at byte offset 16"),
    ],
)
def test_broken_markup_is_refused_in_telegrams_words(mode: str, source: str, complaint: str) -> None:
    with pytest.raises(CannotParse) as refused:
        PARSERS[mode](source)
    assert str(refused.value) == complaint
