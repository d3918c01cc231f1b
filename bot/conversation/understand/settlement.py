"""What has been settled of a message so far, while it is being settled."""

from dataclasses import dataclass, field
from datetime import date

from bot.conversation.understand.model import (
    Ambiguity,
    Found,
    Problem,
    ProblemKind,
    Slot,
    SlotValue,
    TripDraft,
    Understanding,
)
from bot.conversation.understand.outline import Outline, Piece


@dataclass(slots=True)
class Settlement:
    """``known`` is what was known before the message, ``draft`` what is known with it."""

    outline: Outline
    today: date
    expecting: Slot | None
    known: TripDraft
    draft: TripDraft
    found: list[Found] = field(default_factory=list)
    ambiguities: list[Ambiguity] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def fill(self, slot: Slot, value: SlotValue, piece: Piece) -> None:
        line = self.outline.line
        start, end = line[piece.start].start, line[piece.end - 1].end
        self.found = [found for found in self.found if found.slot is not slot]
        self.found.append(Found(slot, value, self.outline.text[start:end], start, end))

    def problem(self, kind: ProblemKind, slot: Slot, piece: Piece) -> None:
        self.problems.append(Problem(kind, slot, self.outline.words(piece)))

    def has(self, slot: Slot) -> bool:
        return any(found.slot is slot for found in self.found)

    def result(self) -> Understanding:
        return Understanding(self.draft, tuple(self.found), tuple(self.ambiguities), tuple(self.problems))
