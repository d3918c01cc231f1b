"""Whatever is said arrives as words, on both channels, in messages that each channel accepts."""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels.model import Span, Style, Text
from bot.channels.rendering import telegram_html, telegram_length, utf16_length, whatsapp_length, whatsapp_markup
from bot.channels.splitting import split
from bot.channels.text import bold, clean, code, italic, join, lines, link, paragraphs, plain, text
from sandbox.telegram.entities import parse_html

HOSTILE = "<b>&amp;</b> *a* _b_ ~c~ `d` ```e``` > f\n> quote\n- item\n* star\n#h [x](http://y.z) \\ \" ' </code> &lt;"
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"

# How WhatsApp reads markup: a mark at the edge of a word opens, one at the edge of a word closes, on one line.
_WHATSAPP = [
    re.compile(r"(?<![0-9A-Za-z])([*_~])(?=\S)[^\n]*?(?<=\S)\1(?![0-9A-Za-z])"),
    re.compile(r"```[^`]+```|`[^`\n]+`"),
    re.compile(r"^\s*(> ?|[-*] )", re.MULTILINE),
]

words = st.text(st.one_of(st.sampled_from("ab*_~`<>&\"'- \n.1#\\é😀👩‍👩‍👧🇳🇬ש"), st.characters()), max_size=60)
styles = st.sampled_from(list(Style))
texts = st.lists(st.builds(Span, words, styles), max_size=8).map(lambda spans: text(*spans))


def without_blanks(words: str) -> str:
    return re.sub(r"\s", "", words)


class TestBuilding:
    def test_phrases_read_as_they_are_written(self) -> None:
        phrase = text("Send ", bold("1.00 CLAYER"), " to ", code(ADDRESS), ".")
        assert plain(phrase) == f"Send 1.00 CLAYER to {ADDRESS}."
        assert telegram_html(phrase) == f"Send <b>1.00 CLAYER</b> to <code>{ADDRESS}</code>."
        assert whatsapp_markup(phrase) == f"Send *1.00 CLAYER* to ```{ADDRESS}```."

    def test_empty_pieces_leave_no_gap(self) -> None:
        assert plain(paragraphs("one", "", (), lines("two", text(), "three"))) == "one\n\ntwo\nthree"
        assert plain(join(", ", ["a", bold("b"), "c"])) == "a, b, c"

    def test_two_codes_side_by_side_stay_two_things_to_copy(self) -> None:
        assert len(text(code("a"), code("b"))) == 2

    def test_a_code_alone_is_copied_exactly_on_whatsapp(self) -> None:
        assert whatsapp_markup(text(code(ADDRESS))) == ADDRESS

    def test_links_are_tapped_on_telegram_and_spelled_out_on_whatsapp(self) -> None:
        phrase = text(link("https://explorer.test/tx/0x_9f_?a=1&b=2", "transaction"))
        assert telegram_html(phrase) == '<a href="https://explorer.test/tx/0x_9f_?a=1&amp;b=2">transaction</a>'
        assert whatsapp_markup(phrase) == "transaction: https://explorer.test/tx/0x_9f_?a=1&b=2"
        assert whatsapp_markup(text(link("https://a.test/_b_"))) == "https://a.test/_b_"

    def test_only_web_addresses_become_links(self) -> None:
        assert "<a" not in telegram_html(text(link("javascript:alert(1)", "tap me")))


class TestTravellersWords:
    def test_markup_of_telegram_stays_words(self) -> None:
        read = parse_html(telegram_html(text(HOSTILE)))
        assert read.text == HOSTILE
        assert read.entities == []

    def test_markup_of_whatsapp_stays_words(self) -> None:
        written = whatsapp_markup(text(HOSTILE))
        assert not any(pattern.search(written) for pattern in _WHATSAPP)

    def test_addresses_and_names_are_not_touched_on_whatsapp(self) -> None:
        ordinary = "ada_obi@mail.example, O'Neil-Smith, 2*3, snake_case_name, +44 20 7946 0958, R&D <3"
        assert whatsapp_markup(text(ordinary)) == ordinary

    @pytest.mark.parametrize("style", [Style.BOLD, Style.ITALIC, Style.CODE])
    def test_they_do_not_break_out_of_our_style(self, style: Style) -> None:
        read = parse_html(telegram_html((Span(HOSTILE, style),)))
        assert read.text == HOSTILE
        assert [entity["type"] for entity in read.entities] == [style]

    @given(texts)
    @settings(max_examples=300, deadline=None)
    def test_telegram_reads_back_what_was_meant(self, phrase: Text) -> None:
        read = parse_html(telegram_html(phrase))
        assert read.text == "".join(clean(span.text) for span in phrase)
        assert utf16_length(read.text) == telegram_length(phrase)

    @given(words)
    @settings(max_examples=300, deadline=None)
    def test_whatsapp_finds_no_markup_in_them(self, said: str) -> None:
        written = whatsapp_markup(text(said))
        assert not any(pattern.search(written) for pattern in _WHATSAPP), written

    @given(words.filter(lambda said: said.strip() != ""), words, words)
    @settings(max_examples=300, deadline=None)
    def test_whatsapp_finds_our_bold_and_nothing_else(self, said: str, before: str, after: str) -> None:
        """Our marks hold exactly what is bold, and are left out where a word goes on and they would show."""
        written = whatsapp_markup(text(before, " ", bold("x" + clean(said).replace("\n", " ") + "x"), " ", after))
        found = [match[0] for pattern in _WHATSAPP[:2] for match in pattern.finditer(written)]
        assert len(found) == 1
        assert found[0].startswith("*x")
        assert found[0].endswith("x*")

    def test_what_no_channel_carries_is_dropped(self) -> None:
        assert clean("a\x00b\x1bc\ud83dd\r\ne\tf\u2028") == "abcd\ne\tf\n"


class TestSplitting:
    def test_a_short_text_is_one_message(self) -> None:
        phrase = text("hello ", bold("you"))
        assert split(phrase, 4096, telegram_length) == [phrase]

    def test_nothing_to_say_is_no_message(self) -> None:
        assert split(text(" \n "), 4096, telegram_length) == []

    def test_cuts_between_paragraphs_before_lines_before_words(self) -> None:
        phrase = text("one two three\nfour five\n\nsix seven\neight nine ten eleven")
        assert [plain(part) for part in split(phrase, 36, telegram_length)] == [
            "one two three\nfour five",
            "six seven\neight nine ten eleven",
        ]
        assert [plain(part) for part in split(phrase, 14, telegram_length)][:2] == ["one two three", "four five"]

    def test_an_address_is_never_torn(self) -> None:
        phrase = text("pay " * 20, code(ADDRESS), " now" * 20)
        parts = split(phrase, 60, telegram_length)
        assert sum(Span(ADDRESS, Style.CODE) in part for part in parts) == 1

    def test_bold_goes_on_in_the_next_message(self) -> None:
        parts = split(text(bold("word " * 40)), 60, telegram_length)
        assert len(parts) > 1
        assert all(span.style is Style.BOLD for part in parts for span in part)

    @pytest.mark.parametrize("emoji", ["👩‍👩‍👧‍👦", "🇳🇬", "👍🏽", "e\u0301", "😀"])
    def test_a_character_of_many_parts_is_never_torn(self, emoji: str) -> None:
        parts = split(text(emoji * 3000), 4096, telegram_length)
        assert all(len(plain(part)) % len(emoji) == 0 for part in parts)
        assert "".join(plain(part) for part in parts) == emoji * 3000

    def test_telegram_counts_emoji_twice(self) -> None:
        parts = split(text("😀" * 4096), 4096, telegram_length)
        assert [utf16_length(plain(part)) for part in parts] == [4096, 4096]

    @given(texts, st.integers(min_value=12, max_value=80))
    @settings(max_examples=300, deadline=None)
    def test_nothing_is_lost_and_every_message_fits_telegram(self, phrase: Text, limit: int) -> None:
        parts = split(phrase, limit, telegram_length)
        assert all(0 < telegram_length(part) <= limit for part in parts)
        assert without_blanks("".join(map(plain, parts))) == without_blanks(plain(phrase))

    @given(texts, st.integers(min_value=30, max_value=80))
    @settings(max_examples=300, deadline=None)
    def test_nothing_is_lost_and_every_message_fits_whatsapp(self, phrase: Text, limit: int) -> None:
        parts = split(phrase, limit, whatsapp_length)
        assert all(whatsapp_length(part) <= limit for part in parts)
        assert without_blanks("".join(map(plain, parts))) == without_blanks(plain(phrase))

    def test_a_page_of_zalgo_is_cut_all_the_same(self) -> None:
        zalgo = "a" + "\u0301" * 5000
        parts = split(text(zalgo), 4096, telegram_length)
        assert unicodedata.normalize("NFC", "".join(map(plain, parts))) == unicodedata.normalize("NFC", zalgo)

    def test_italics_are_marked_on_each_line(self) -> None:
        assert whatsapp_markup(text(italic("Reply 1–5,\nor more. "), "x")) == "_Reply 1–5,_\n_or more._ x"
