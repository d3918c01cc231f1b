"""What a message says, piece by piece and in order, and the slot that the words around each piece claim it for.

This is the middle layer: below it are words and patterns, above it (``settle``) what is already known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.conversation.understand.date_rules import DATE_RULES
from bot.conversation.understand.dates import ClockTime, DateExpression, DateRange, Stay
from bot.conversation.understand.grammar import Grammar, Node
from bot.conversation.understand.lexicon import Kind, Lexicon
from bot.conversation.understand.mentions import Mention, Spotter
from bot.conversation.understand.model import Slot
from bot.conversation.understand.party import Adding, CabinSaid, Family, Including, People, Who
from bot.conversation.understand.party_rules import WHO_RULES
from bot.conversation.understand.tokens import Lexeme, lexemes
from bot.flights.model import Place
from bot.flights.places import Gazetteer

_MOST_TYPO_LOOKUPS = 12  # in one message, of each sort

GRAMMAR: Grammar[DateExpression | DateRange | Stay | ClockTime | Who] = Grammar([*DATE_RULES, *WHO_RULES])


@dataclass(frozen=True, slots=True)
class Places:
    """Places named, of which one is meant; empty: a name that is not known. ``tentative``: may be no place at all.

    ``of_return``: said again with the way back ("back to Lagos").
    """

    candidates: tuple[Place, ...]
    of_return: bool = False
    tentative: bool = False


@dataclass(frozen=True, slots=True)
class Direction:
    one_way: bool


What = Places | Direction | DateExpression | DateRange | Stay | Who


@dataclass(frozen=True, slots=True)
class Piece:
    """Something said by lexemes ``start`` to ``end`` (exclusive), for ``slot`` where that is clear."""

    what: What
    start: int
    end: int
    slot: Slot | None = None
    negated: bool = False


@dataclass(slots=True)
class Outline:
    """``line`` is the whole message, ``pieces`` what was found in it."""

    text: str
    line: Sequence[Lexeme]
    pieces: list[Piece] = field(default_factory=list)
    slot_named: Slot | None = None  # "change the return date"

    def words(self, piece: Piece) -> str:
        return self.text[self.line[piece.start].start : self.line[piece.end - 1].end]

    def says(self, *kinds: Kind) -> bool:
        return any(lexeme.has(*kinds) for lexeme in self.line)


def read_outline(text: str, lexicon: Lexicon, gazetteer: Gazetteer, expecting: Slot | None) -> Outline:
    line = _corrected(lexemes(text, lexicon, gazetteer), lexicon, gazetteer)
    reader = _Reader(Outline(text, line), Spotter(line, text, gazetteer, _MOST_TYPO_LOOKUPS), expecting)
    return reader.read()


def _corrected(line: Sequence[Lexeme], lexicon: Lexicon, gazetteer: Gazetteer) -> list[Lexeme]:
    """Misspelt words of the language get the meaning they were meant to have, except where a place is announced."""
    corrected: list[Lexeme] = []
    lookups = _MOST_TYPO_LOOKUPS
    for lexeme in line:
        if lexeme.is_unknown_word and not lexeme.can_be_place and lookups > 0:
            lookups -= 1
            typo = lexicon.typo(lexeme.text)
            announced = bool(corrected) and corrected[-1].has(Kind.FROM, Kind.TO, Kind.DASH)
            if typo is not None and not (announced and _nearer_place(lexeme.text, typo[1], gazetteer)):
                lexeme = replace(lexeme, text=typo[0], meanings=lexicon.phrases[typo[0]])
        corrected.append(lexeme)
    return corrected


def _nearer_place(word: str, edits: int, gazetteer: Gazetteer) -> bool:
    return any(match.edits <= edits for match in gazetteer.typos(word)[:1])


class _Reader:
    """Walks through a message once, left to right, remembering what the last cue announced."""

    def __init__(self, outline: Outline, spotter: Spotter, expecting: Slot | None) -> None:
        self._outline = outline
        self._line = outline.line
        self._pieces = outline.pieces
        self._spotter = spotter
        self._expecting = expecting
        self._nodes = {node.start: node for node in GRAMMAR.parse(outline.line)}
        self._changing = outline.says(Kind.CHANGE)
        self._place_slot: Slot | None = None
        self._place_announced = False
        self._date_slot: Slot | None = None
        self._returning = False
        self._negated = False

    def read(self) -> Outline:
        at = 0
        while at < len(self._line):
            node = self._nodes.get(at)
            if self._is_code_asked_for(at):
                at = self._place(at) or self._other(at)
            else:
                at = self._node(node) if node is not None else self._cue(at) or self._place(at) or self._other(at)
        trip = [piece for piece in self._pieces if not (isinstance(piece.what, Places) and piece.what.tentative)]
        if not trip and len(self._line) > 2:
            self._pieces.clear()
        return self._outline

    def _is_code_asked_for(self, at: int) -> bool:
        """``SAT`` as the whole answer to "where?" is San Antonio."""
        lexeme = self._line[at]
        return self._expecting in (Slot.ORIGIN, Slot.DESTINATION) and lexeme.is_upper and len(self._line) == 1

    def _add(self, what: What, start: int, end: int, slot: Slot | None = None) -> int:
        self._pieces.append(Piece(what, start, end, slot, self._negated))
        self._negated = False
        return end

    def _node(self, node: Node[DateExpression | DateRange | Stay | ClockTime | Who]) -> int:
        said = node.value
        self._announce(None)
        if isinstance(said, ClockTime):
            return node.end
        if isinstance(said, (People, Family, Adding, Including, CabinSaid, Stay)):
            return self._add(said, node.start, node.end)
        slot, self._date_slot, self._returning = self._date_slot, None, False
        return self._add(said, node.start, node.end, slot)

    def _announce(self, slot: Slot | None, announced: bool | None = None) -> None:
        self._place_slot = slot
        self._place_announced = slot is not None if announced is None else announced

    def _cue(self, at: int) -> int | None:
        """Words and signs that say for what the next place or date is."""
        lexeme = self._line[at]
        comes_date = self._is_date(at + 1)
        if lexeme.has(Kind.ONE_WAY):
            return self._add(Direction(one_way=True), at, at + 1)
        if lexeme.has(Kind.RETURN, Kind.ROUND_TRIP):
            self._return(at)
        elif lexeme.has(Kind.LEAVE):
            self._leave(at)
        elif lexeme.has(Kind.SLOT):
            self._slot(Slot(str(lexeme.meanings[Kind.SLOT])))
        elif lexeme.has(Kind.UNTIL):
            self._date_slot = Slot.RETURN
        elif lexeme.has(Kind.TO, Kind.ARROW, Kind.DASH, Kind.SLASH) and comes_date:
            if self._date_slot is None and self._last_is_date():
                self._date_slot = Slot.RETURN
        elif lexeme.has(Kind.TO, Kind.ARROW):
            self._announce(self._named_place_slot() or Slot.DESTINATION)
        elif lexeme.has(Kind.DASH, Kind.SLASH):
            if not self._last_is_place(at):
                return None
            self._announce(Slot.DESTINATION)
        elif lexeme.has(Kind.FROM):
            if comes_date:
                self._date_slot = self._date_slot or Slot.DEPART
            else:
                self._announce(Slot.ORIGIN)
        elif lexeme.has(Kind.IN, Kind.OF, Kind.BETWEEN) and not lexeme.places:
            self._announce(None, announced=True)
        elif lexeme.has(Kind.NOT):
            self._negated = True
        elif lexeme.has(Kind.STOP):
            self._announce(None)
            self._date_slot, self._negated = None, False
        elif not lexeme.has(Kind.THE, Kind.COMMA, Kind.COLON):
            return None
        return at + 1

    def _return(self, at: int) -> None:
        lexeme = self._line[at]
        routed = at + 1 < len(self._line) and self._line[at + 1].has(Kind.FROM, Kind.TO)
        placed = any(isinstance(piece.what, Places) for piece in self._pieces)
        if self._changing and not self._is_date(at + 1):
            self._slot(Slot.RETURN)
        elif (
            (lexeme.has(Kind.ROUND_TRIP) and not self._is_date(at + 1)) or (routed and not placed) or self._is_kind(at)
        ):
            self._add(Direction(one_way=False), at, at + 1)
        else:
            self._date_slot = Slot.RETURN
            self._returning = placed

    def _is_kind(self, at: int) -> bool:
        """``Vienna-Istanbul return, 5.12. – 9.12.``: the kind of trip, followed by both of its dates."""
        comma = at + 1 < len(self._line) and self._line[at + 1].has(Kind.COMMA)
        return comma and sum(1 for start in self._nodes if start > at and self._is_date(start)) >= 2

    def _leave(self, at: int) -> None:
        self._date_slot = Slot.DEPART
        self._returning = False
        if self._changing:
            self._slot(Slot.DEPART)
        follows = self._line[at + 1] if at + 1 < len(self._line) else None
        self._announce(Slot.ORIGIN if follows is not None and follows.can_be_place else None)

    def _slot(self, slot: Slot) -> None:
        self._outline.slot_named = slot
        if slot in (Slot.DEPART, Slot.RETURN):
            self._date_slot = slot
        elif slot in (Slot.ORIGIN, Slot.DESTINATION):
            self._announce(slot)

    def _named_place_slot(self) -> Slot | None:
        """``change the origin to``; ``change the departure to`` a place means the origin too."""
        named = self._outline.slot_named
        if named in (Slot.ORIGIN, Slot.DESTINATION):
            return named
        return Slot.ORIGIN if named is Slot.DEPART and self._changing else None

    def _place(self, at: int) -> int | None:
        lexeme = self._line[at]
        if not lexeme.can_be_place:
            return None
        alone = not any(other.is_word for other in self._line[:at]) and not any(o.is_word for o in self._line[at + 1 :])
        asked = self._expecting in (Slot.ORIGIN, Slot.DESTINATION) and (alone or not lexeme.meanings)
        mention = self._spotter.plain(at, self._paired(at))
        if mention is None and (self._place_announced or asked):
            mention = self._spotter.announced(at)
        return self._add_place(mention) if mention is not None else None

    def _add_place(self, mention: Mention, tentative: bool = False) -> int:
        places = Places(mention.candidates, self._returning, tentative)
        slot = self._place_slot
        self._announce(None)
        return self._add(places, mention.start, mention.end, slot)

    def _paired(self, at: int) -> bool:
        """Whether a place, or a sign between places, stands right beside."""
        joints = (Kind.DASH, Kind.ARROW, Kind.TO, Kind.SLASH)
        before = self._line[at - 1] if at else None
        if before is not None and before.has(*joints, Kind.AND) and self._last_is_place(at - 1):
            return True
        if self._last_is_place(at):
            return True
        after = self._line[at + 1 : at + 3]
        return len(after) == 2 and after[0].has(*joints) and after[1].can_be_place

    def _other(self, at: int) -> int:
        """A word of no meaning here, or an unknown one: perhaps a misspelt place."""
        lexeme = self._line[at]
        announced, slot = self._place_announced, self._place_slot
        if not lexeme.is_unknown_word:
            if lexeme.is_word:
                self._announce(None)
                self._negated = False
            return at + 1
        if at + 1 < len(self._line) and self._line[at + 1].can_be_place and announced:
            return at + 1
        asked = announced or self._expecting in (Slot.ORIGIN, Slot.DESTINATION)
        mention = self._spotter.misspelt(at, asked)
        if mention is not None:
            return self._add_place(mention, tentative=not announced)
        certain = slot is Slot.ORIGIN or lexeme.is_capitalised or lexeme.is_upper or self._last_is_place(at - 1)
        if slot is not None and certain:
            return self._add_place(self._spotter.unknown(at))
        self._announce(None)
        return at + 1

    def _is_date(self, at: int) -> bool:
        node = self._nodes.get(at)
        not_dates = (People, Family, Adding, Including, CabinSaid, Stay, ClockTime)
        return node is not None and not isinstance(node.value, not_dates)

    def _last_is_date(self) -> bool:
        not_dates = (People, Family, Adding, Including, CabinSaid, Stay, Places, Direction)
        return any(not isinstance(piece.what, not_dates) for piece in self._pieces)

    def _last_is_place(self, end: int) -> bool:
        return bool(self._pieces) and isinstance(self._pieces[-1].what, Places) and self._pieces[-1].end == end
