"""Text with entities, made from ``parse_mode`` as Telegram makes it: the same rules, limits and complaints.

After https://core.telegram.org/bots/api#formatting-options and what TDLib's parser is known to refuse. Offsets and
lengths of entities are in UTF-16 units; "byte offset" in a complaint is one of the text's UTF-8.
"""

import html
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

Entity = dict[str, object]


class CannotParse(Exception):
    """The text does not follow its ``parse_mode``. The message is Telegram's."""


@dataclass(frozen=True, slots=True)
class Formatted:
    text: str
    entities: list[Entity]


def utf16(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text) + sum(1 for character in text if character > "\uffff")


def checked_link(url: str) -> str | None:
    """The link as Telegram keeps it; None for one that it drops (no host with a dot, a foreign scheme)."""
    url = url.strip()
    if url.startswith(("tg://", "ton://", "tonsite://")):
        return url
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or "." not in (parts.hostname or "") or " " in url:
        return None
    return parts._replace(path=parts.path or "/").geturl()


# Of entities over the same text the first of these comes first.
_PRECEDENCE = (
    "blockquote",
    "expandable_blockquote",
    "pre",
    "code",
    "text_link",
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "custom_emoji",
)


def in_order(entities: list[Entity]) -> list[Entity]:
    """As Telegram lists them: by offset, the longer first."""
    return sorted(entities, key=lambda e: (e["offset"], -int(str(e["length"])), _PRECEDENCE.index(str(e["type"]))))


def trimmed(formatted: Formatted) -> Formatted:
    """Without the white space around it, which Telegram cuts; entities are cut with it."""
    body = formatted.text.strip()
    lead = utf16(formatted.text[: len(formatted.text) - len(formatted.text.lstrip())])
    end = utf16(body)
    entities: list[Entity] = []
    for entity in formatted.entities:
        start = max(int(str(entity["offset"])) - lead, 0)
        stop = min(int(str(entity["offset"])) + int(str(entity["length"])) - lead, end)
        if stop > start:
            entities.append({**entity, "offset": start, "length": stop - start})
    return Formatted(body, entities)


_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
_ATTRIBUTE = re.compile(r"\s*([^\s=>]+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[a-zA-Z0-9.\-]+))?")
_REFERENCE = re.compile(r"&(?:#(\d+|x[0-9a-fA-F]+)|(lt|gt|amp|quot));?")


@dataclass(slots=True)
class _OpenTag:
    name: str
    attributes: dict[str, str | None]
    offset: int
    start: int  # index into the output


class _HtmlParser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._output: list[str] = []
        self._length = 0  # of the output in UTF-16 units
        self._open: list[_OpenTag] = []
        self._entities: list[Entity] = []

    def parse(self) -> Formatted:
        while self._position < len(self._source):
            character = self._source[self._position]
            if character == "<":
                self._tag()
            elif character == "&" and (reference := _REFERENCE.match(self._source, self._position)):
                self._emit(html.unescape(f"&{reference[0].strip('&;')};"))
                self._position = reference.end()
            else:
                self._emit(character)
                self._position += 1
        if self._open:
            raise CannotParse(f'Can\'t find end tag corresponding to start tag "{self._open[-1].name}"')
        return Formatted("".join(self._output), in_order(_merged_code(self._entities)))

    def _emit(self, text: str) -> None:
        self._output.append(text)
        self._length += utf16(text)

    def _at(self, position: int) -> int:
        return len(self._source[:position].encode())

    def _tag(self) -> None:
        begin = self._position
        end = self._source.find(">", begin)
        closing = self._source.startswith("</", begin)
        if closing and not self._open:
            raise CannotParse(f"Unexpected end tag at byte offset {self._at(begin)}")
        if closing and end < 0:
            raise CannotParse(f"Unclosed end tag at byte offset {self._at(begin)}")
        if closing:
            self._end_tag(begin, end)
        else:
            self._start_tag(begin)

    def _start_tag(self, begin: int) -> None:
        found = re.compile(r"[^\s>]*").match(self._source, begin + 1)
        assert found is not None
        name = found[0].lower()
        if found.end() == len(self._source):
            raise CannotParse(f"Unclosed start tag at byte offset {self._at(begin)}")
        if name not in _TAGS:
            raise CannotParse(f'Unsupported start tag "{name}" at byte offset {self._at(begin)}')
        position = found.end()
        attributes: dict[str, str | None] = {}
        while True:
            position += len(self._source[position:]) - len(self._source[position:].lstrip())
            if self._source[position : position + 1] == ">":
                break
            attribute = _ATTRIBUTE.match(self._source, position)
            if attribute is None:
                raise CannotParse(f'Unclosed start tag "{name}" at byte offset {self._at(begin)}')
            value = attribute[2]
            attributes[attribute[1].lower()] = None if value is None else html.unescape(value.strip("\"'"))
            position = attribute.end()
        if name == "span" and attributes.get("class") != "tg-spoiler":
            raise CannotParse(f'Tag "span" must have class "tg-spoiler" at byte offset {self._at(begin)}')
        if name == "tg-emoji" and not (attributes.get("emoji-id") or "").isdigit():
            raise CannotParse("Invalid custom emoji identifier specified")
        self._open.append(_OpenTag(name, attributes, self._length, len(self._output)))
        self._position = position + 1

    def _end_tag(self, begin: int, end: int) -> None:
        name = self._source[begin + 2 : end].strip().lower()
        tag = self._open.pop()
        if name and name != tag.name:
            raise CannotParse(
                f'Unmatched end tag at byte offset {self._at(begin)}, expected "</{tag.name}>", found "</{name}>"'
            )
        self._position = end + 1
        entity = self._entity(tag)
        if entity is not None:
            self._entities.append(entity)

    def _entity(self, tag: _OpenTag) -> Entity | None:
        length = self._length - tag.offset
        if length == 0:
            return None
        entity: Entity = {"type": _TAGS[tag.name], "offset": tag.offset, "length": length}
        match tag.name:
            case "a":
                link = checked_link(tag.attributes.get("href") or "".join(self._output[tag.start :]))
                if link is None:
                    return None
                entity["url"] = link
            case "tg-emoji":
                entity["custom_emoji_id"] = tag.attributes["emoji-id"]
            case "blockquote" if "expandable" in tag.attributes:
                entity["type"] = "expandable_blockquote"
            case "code" if (language := tag.attributes.get("class") or "").startswith("language-"):
                entity["language"] = language.removeprefix("language-")
        return entity


def _merged_code(entities: list[Entity]) -> list[Entity]:
    """``<pre><code class="language-x">`` over the same text is one entity; a language is said nowhere else."""
    pres = {(e["offset"], e["length"]): e for e in entities if e["type"] == "pre"}
    kept: list[Entity] = []
    for entity in entities:
        language = entity.pop("language", None) if entity["type"] == "code" else None
        pre = pres.get((entity["offset"], entity["length"]))
        if language and pre is not None:
            pre["language"] = language
        else:
            kept.append(entity)
    return kept


def parse_html(text: str) -> Formatted:
    """``parse_mode=HTML``. Raises ``CannotParse``."""
    return _HtmlParser(text).parse()
