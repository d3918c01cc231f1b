"""Patterns over meanings, the same for every language.

A pattern is a line of kinds: ``WEEKDAY? THE? ORDINAL|DAY OF? MONTH``. ``?`` may be absent, ``|`` either, ``+`` must
touch what stands before it. Of all rules that match at a place the longest wins, then the earlier one. A rule's
builder may still refuse by returning None. Patterns are short, so the work is linear in the message.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bot.conversation.understand.lexicon import Kind
from bot.conversation.understand.tokens import Lexeme

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Element:
    kinds: tuple[Kind, ...]
    optional: bool
    touches: bool


@dataclass(frozen=True, slots=True)
class Match:
    """Lexemes ``start`` to ``end`` (exclusive) of ``line``; ``captures`` says as what each was taken."""

    line: Sequence[Lexeme]
    start: int
    end: int
    captures: tuple[tuple[Kind, int | str], ...]

    def get(self, *kinds: Kind) -> int | None:
        """The first number captured as one of the kinds."""
        return next((int(value) for kind, value in self.captures if kind in kinds), None)

    def number(self, *kinds: Kind) -> int:
        value = self.get(*kinds)
        if value is None:
            raise LookupError(f"the pattern has none of {kinds}")
        return value

    def all(self, *kinds: Kind) -> list[int]:
        return [int(value) for kind, value in self.captures if kind in kinds]

    def has(self, kind: Kind) -> bool:
        return any(captured is kind for captured, _ in self.captures)

    def text(self, kind: Kind) -> str:
        return next(str(value) for captured, value in self.captures if captured is kind)

    @property
    def before(self) -> Lexeme | None:
        return self.line[self.start - 1] if self.start else None

    @property
    def after(self) -> Lexeme | None:
        return self.line[self.end] if self.end < len(self.line) else None

    def followed_by(self, *kinds: Kind) -> bool:
        return self.after is not None and self.after.has(*kinds)


@dataclass(frozen=True, slots=True)
class Rule(Generic[T_co]):
    elements: tuple[Element, ...]
    build: Callable[[Match], T_co | None]


@dataclass(frozen=True, slots=True)
class Node(Generic[T]):
    """What a rule made of lexemes ``start`` to ``end`` (exclusive)."""

    value: T
    start: int
    end: int


def rule(pattern: str, build: Callable[[Match], T | None]) -> Rule[T]:
    elements = []
    for part in pattern.split():
        kinds = tuple(Kind(kind) for kind in part.strip("+?").split("|"))
        elements.append(Element(kinds, optional=part.endswith("?"), touches=part.startswith("+")))
    return Rule(tuple(elements), build)


class Grammar(Generic[T]):
    def __init__(self, rules: Sequence[Rule[T]]) -> None:
        self._starting: dict[Kind, list[tuple[int, Rule[T]]]] = defaultdict(list)
        for order, one in enumerate(rules):
            for kind in _first_kinds(one):
                self._starting[kind].append((order, one))

    def parse(self, line: Sequence[Lexeme]) -> list[Node[T]]:
        """The nodes found, left to right, not overlapping."""
        nodes: list[Node[T]] = []
        at = 0
        while at < len(line):
            node = self._best(line, at)
            if node is not None:
                nodes.append(node)
            at = node.end if node is not None else at + 1
        return nodes

    def _best(self, line: Sequence[Lexeme], at: int) -> Node[T] | None:
        candidates: dict[int, Match] = {}
        rules: dict[int, Rule[T]] = {}
        for kind in line[at].meanings:
            for order, one in self._starting.get(kind, ()):
                if order not in candidates:
                    match = _match(one.elements, line, at)
                    if match is not None:
                        candidates[order], rules[order] = match, one
        for order in sorted(candidates, key=lambda order: (-candidates[order].end, order)):
            value = rules[order].build(candidates[order])
            if value is not None:
                return Node(value, at, candidates[order].end)
        return None


def _first_kinds(one: Rule[T]) -> set[Kind]:
    kinds: set[Kind] = set()
    for element in one.elements:
        kinds.update(element.kinds)
        if not element.optional:
            break
    return kinds


def _match(elements: tuple[Element, ...], line: Sequence[Lexeme], at: int) -> Match | None:
    ends = _extend(elements, 0, line, at, ())
    return Match(line, at, ends[0], ends[1]) if ends is not None and ends[0] > at else None


_Captures = tuple[tuple[Kind, int | str], ...]


def _extend(
    elements: tuple[Element, ...], index: int, line: Sequence[Lexeme], at: int, captures: _Captures
) -> tuple[int, _Captures] | None:
    """Takes an optional element where it can, and does without where the rest then fits only so."""
    if index == len(elements):
        return at, captures
    element = elements[index]
    if at < len(line):
        lexeme = line[at]
        for kind in element.kinds:
            if kind in lexeme.meanings and (lexeme.touches or not element.touches):
                taken = _extend(elements, index + 1, line, at + 1, (*captures, (kind, lexeme.meanings[kind])))
                if taken is not None:
                    return taken
    return _extend(elements, index + 1, line, at, captures) if element.optional else None
