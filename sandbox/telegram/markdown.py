"""``parse_mode=MarkdownV2`` (https://core.telegram.org/bots/api#markdownv2-style), with Telegram's own complaints."""

from dataclasses import dataclass

from sandbox.telegram.entities import CannotParse, Entity, Formatted, checked_link, in_order, utf16

_RESERVED = frozenset("_*[]()~`>#+-=|{}.!\n")
_OPENERS = {
    "```": "Pre",
    "![": "CustomEmoji",
    "__": "Underline",
    "||": "Spoiler",
    "*": "Bold",
    "_": "Italic",
    "~": "Strikethrough",
    "`": "Code",
    "[": "TextUrl",
}
_CLOSERS = {
    "Pre": "```",
    "PreCode": "```",
    "CustomEmoji": "]",
    "Underline": "__",
    "Spoiler": "||",
    "Bold": "*",
    "Italic": "_",
    "Strikethrough": "~",
    "Code": "`",
    "TextUrl": "]",
}
_TYPES = {
    "Pre": "pre",
    "PreCode": "pre",
    "CustomEmoji": "custom_emoji",
    "Underline": "underline",
    "Spoiler": "spoiler",
    "Bold": "bold",
    "Italic": "italic",
    "Strikethrough": "strikethrough",
    "Code": "code",
    "TextUrl": "text_link",
    "BlockQuote": "blockquote",
}
_VERBATIM = ("Code", "Pre", "PreCode")


@dataclass(slots=True)
class _Open:
    kind: str
    position: int  # in the source
    offset: int  # in the output, UTF-16 units
    start: int  # in the output, pieces
    language: str = ""


class _MarkdownParser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._output: list[str] = []
        self._length = 0
        self._open: list[_Open] = []
        self._quoting = False
        self._entities: list[Entity] = []

    def parse(self) -> Formatted:
        source = self._source
        while self._position < len(source):
            character = source[self._position]
            following = source[self._position + 1 : self._position + 2]
            inside = self._open[-1].kind if self._open else None
            if character == "\\" and following and 0 < ord(following) <= 126:
                self._emit(following)
                self._position += 2
            elif character not in (_RESERVED if inside not in _VERBATIM else "`"):
                self._emit(character)
                self._position += 1
            elif self._quoting and character == "\n" and following != ">":
                self._end_quote()
            elif inside and self._closes(inside):
                self._close()
            else:
                self._begin(character, following)
        if self._quoting and self._open[-1].kind == "BlockQuote":
            self._finish(self._open.pop(), {})
        if self._open:
            self._never_ended()
        return Formatted("".join(self._output), in_order(self._entities))

    def _emit(self, text: str) -> None:
        self._output.append(text)
        self._length += utf16(text)

    def _at(self, position: int) -> int:
        return len(self._source[:position].encode())

    def _never_ended(self) -> None:
        last = self._open[-1]
        raise CannotParse(f"Can't find end of {last.kind} entity at byte offset {self._at(last.position)}")

    def _closes(self, kind: str) -> bool:
        if kind == "BlockQuote" or not self._source.startswith(_CLOSERS[kind], self._position):
            return False
        return kind != "Italic" or not self._source.startswith("__", self._position)

    def _begin(self, character: str, following: str) -> None:
        if character == "\n":
            self._emit("\n")
            self._position += 1
            if following == ">":
                self._position += 1
                self._quote(self._position - 1)
            return
        if character == ">" and self._position == 0:
            self._position = 1
            self._quote(0)
            return
        opener = next((o for o in _OPENERS if self._source.startswith(o, self._position)), None)
        if opener is None:
            raise CannotParse(f"Character '{character}' is reserved and must be escaped with the preceding '\\'")
        begin = _Open(_OPENERS[opener], self._position, self._length, len(self._output))
        self._position += len(opener)
        if opener == "```":
            self._language(begin)
        self._open.append(begin)

    def _quote(self, position: int) -> None:
        if not self._quoting:
            self._quoting = True
            self._open.append(_Open("BlockQuote", position, self._length, len(self._output)))

    def _end_quote(self) -> None:
        if self._open[-1].kind != "BlockQuote":
            self._never_ended()
        self._emit("\n")
        self._position += 1
        self._quoting = False
        self._finish(self._open.pop(), {})

    def _language(self, begin: _Open) -> None:
        end = self._position
        while end < len(self._source) and not self._source[end].isspace() and self._source[end] != "`":
            end += 1
        if self._position < end < len(self._source) and self._source[end] != "`":
            begin.kind, begin.language = "PreCode", self._source[self._position : end]
            self._position = end
        for newline in ("\r\n", "\n\r", "\n", "\r"):
            if self._source.startswith(newline, self._position):
                self._position += len(newline)
                break

    def _close(self) -> None:
        entity = self._open.pop()
        self._position += len(_CLOSERS[entity.kind])
        extra: Entity = {}
        if entity.kind == "TextUrl":
            given = self._link("a URL")
            link = checked_link("".join(self._output[entity.start :]) if given is None else given)
            if link is None:
                return
            extra["url"] = link
        elif entity.kind == "CustomEmoji":
            extra["custom_emoji_id"] = self._emoji_id()
        elif entity.language:
            extra["language"] = entity.language
        self._finish(entity, extra)

    def _emoji_id(self) -> str:
        link = self._link("a custom emoji URL")
        if link is None:
            raise CannotParse("Custom emoji entity must contain a tg://emoji URL")
        identifier = link.removeprefix("tg://emoji?id=")
        if identifier == link or not identifier.isdigit():
            raise CannotParse("Invalid custom emoji identifier specified")
        return identifier

    def _link(self, what: str) -> str | None:
        """What stands in the parentheses after ``[text]``; None where there are none."""
        if not self._source.startswith("(", self._position):
            return None
        begin = self._position = self._position + 1
        link = ""
        while self._position < len(self._source):
            character = self._source[self._position]
            self._position += 1
            if character == ")":
                return link
            if character == "\\" and self._position < len(self._source):
                character = self._source[self._position]
                self._position += 1
            link += character
        raise CannotParse(f"Can't find end of {what} at byte offset {self._at(begin)}")

    def _finish(self, entity: _Open, extra: Entity) -> None:
        length = self._length - entity.offset
        if length:
            self._entities.append({"type": _TYPES[entity.kind], "offset": entity.offset, "length": length, **extra})


def parse_markdown_v2(text: str) -> Formatted:
    """Raises ``CannotParse``."""
    return _MarkdownParser(text).parse()
