"""How a ``Text`` is written on each channel, so that raw words stay words.

Telegram: the HTML subset of the Bot API (https://core.telegram.org/bots/api#html-style), everything escaped.
WhatsApp: ``*bold*``, ``_italic_`` and monospace, for which there is no escape; so a character that could open or
close markup gives way to its look-alike, unless it stands inside a word or an address, where it means nothing.
"""

import html
import re

from bot.channels.model import Span, Style, Text
from bot.channels.text import clean, text

_HTML_TAGS = {Style.BOLD: "b", Style.ITALIC: "i", Style.CODE: "code"}
_WHATSAPP_MARKS = {Style.BOLD: "*", Style.ITALIC: "_", Style.CODE: "```"}
_LOOK_ALIKES = {"*": "\u2217", "_": "\u02cd", "~": "\u223c", "`": "\u02cb"}
_WORD_JOINER = "\u2060"  # invisible; keeps a quote or list mark from being the first thing on its line
_MARK = re.compile(r"(?<![0-9A-Za-z])[*_~]|[*_~](?![0-9A-Za-z])|`")
_LINE_MARK = re.compile(r"^(?=\s*[>\-•+])", re.MULTILINE)


def utf16_length(words: str) -> int:
    """The length in UTF-16 code units, as Telegram counts (and Twilio at most)."""
    return len(words) + sum(1 for c in words if c > "\uffff")


def telegram_html(words: Text) -> str:
    """For ``parse_mode=HTML``."""
    return "".join(_html_span(span) for span in text(*words))


def telegram_length(words: Text) -> int:
    """What Telegram counts against its limits: the visible text after the entities were parsed."""
    return sum(utf16_length(clean(span.text)) for span in words)


def whatsapp_markup(words: Text) -> str:
    """For the ``Body`` of a WhatsApp message. A message that is one code alone is bare: what is copied is exact."""
    spans = text(*words)
    if len(spans) == 1 and spans[0].style is Style.CODE and spans[0].link is None:
        return clean(spans[0].text)
    written = ""
    for position, span in enumerate(spans):
        before = spans[position - 1].text[-1:] if position else ""
        after = spans[position + 1].text[:1] if position + 1 < len(spans) else ""
        at_line_start = not written or written.endswith("\n")
        written += _whatsapp_span(span, before, after, at_line_start)
    return written


def whatsapp_length(words: Text) -> int:
    """What Twilio counts against its limit: the body as it is written, marks included."""
    return utf16_length(whatsapp_markup(words))


def is_web_address(url: str | None) -> bool:
    return url is not None and url.startswith(("https://", "http://"))


def _html_span(span: Span) -> str:
    written = html.escape(clean(span.text), quote=False)
    if tag := _HTML_TAGS.get(span.style):
        written = f"<{tag}>{written}</{tag}>"
    if span.link and is_web_address(span.link):
        written = f'<a href="{html.escape(clean(span.link))}">{written}</a>'
    return written


def _whatsapp_span(span: Span, before: str, after: str, at_line_start: bool) -> str:
    words = clean(span.text)
    if span.link and is_web_address(span.link):
        address = clean(span.link)
        return address if words == address else f"{_neutral(words, at_line_start)}: {address}"
    mark = _WHATSAPP_MARKS.get(span.style)
    if mark is None:
        return _neutral(words, at_line_start)
    parts = words.split("\n")
    last = len(parts) - 1
    return "\n".join(
        _marked(part, mark, span.style, before if i == 0 else "", after if i == last else "")
        for i, part in enumerate(parts)
    )


def _marked(line: str, mark: str, style: Style, before: str, after: str) -> str:
    """One line in marks. Blanks stay outside, and where a word continues the marks would show: then none."""
    core = line.strip()
    if not core:
        return line
    lead = line[: len(line) - len(line.lstrip())]
    trail = line[len(line.rstrip()) :]
    if style is Style.CODE:
        inner = core.replace("`", _LOOK_ALIKES["`"])
    else:
        inner = _neutral(core, at_line_start=False).replace(mark, _LOOK_ALIKES[mark])
    if (not lead and before.isalnum()) or (not trail and after.isalnum()):
        return lead + inner + trail
    return f"{lead}{mark}{inner}{mark}{trail}"


def _neutral(words: str, at_line_start: bool) -> str:
    """Raw words in which nothing reads as markup."""
    words = _MARK.sub(lambda found: _LOOK_ALIKES[found[0]], words)
    if at_line_start:
        return _LINE_MARK.sub(_WORD_JOINER, words)
    first, newline, rest = words.partition("\n")
    return first + newline + _LINE_MARK.sub(_WORD_JOINER, rest)
