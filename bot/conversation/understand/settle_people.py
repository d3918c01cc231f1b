"""Settles who travels and in which cabin."""

from dataclasses import replace

from bot.conversation.understand.model import Ambiguity, Slot
from bot.conversation.understand.outline import Direction, Piece
from bot.conversation.understand.party import (
    Adding,
    CabinSaid,
    Counted,
    Family,
    Including,
    People,
    complete,
    count,
    read_ages,
)
from bot.conversation.understand.settlement import Settlement


class PeopleSettler:
    def __init__(self, state: Settlement) -> None:
        self._state = state

    def settle(self) -> None:
        self._settle_party()
        self._settle_cabin()

    def _settle_party(self) -> None:
        pieces = [piece for piece in self._state.outline.pieces if not piece.negated]
        who = [(piece, piece.what) for piece in pieces if isinstance(piece.what, (People, Family, Adding, Including))]
        who += [(p, p.what.people) for p in pieces if isinstance(p.what, CabinSaid) and p.what.people is not None]
        counted = count([what for _, what in who], self._state.known.party)
        if who:
            piece = Piece(who[0][1], min(p.start for p, _ in who), max(p.end for p, _ in who))
        else:
            piece = Piece(Direction(False), 0, len(self._state.outline.line))
        partial = self._state.known.partial_party
        if self._state.expecting is Slot.CHILD_AGES and partial is not None and self._only_children(who):
            ages = read_ages(self._state.outline.line)
            counted = complete(partial, ages) if ages else counted
        elif (
            counted is None
            and self._state.expecting is Slot.PARTY
            and any(what == People(myself=True) for _, what in who)
        ):
            counted = count([People(adults=1)], None)
        if counted is not None:
            self._take_party(counted, piece)

    @staticmethod
    def _only_children(who: list[tuple[Piece, People | Family | Adding | Including]]) -> bool:
        return not any(isinstance(what, People) and (what.adults or what.persons) for _, what in who)

    def _take_party(self, counted: Counted, piece: Piece) -> None:
        if counted.party is not None:
            self._state.fill(Slot.PARTY, counted.party, piece)
            self._state.draft = replace(self._state.draft, party=counted.party, partial_party=None)
        elif counted.problem is not None:
            self._state.problem(counted.problem, Slot.PARTY, piece)
        elif counted.partial is not None:
            slot = Slot.CHILD_AGES if counted.partial.children_without_age else Slot.PARTY
            self._state.ambiguities.append(Ambiguity(slot, self._state.outline.words(piece)))
            self._state.draft = replace(self._state.draft, party=None, partial_party=counted.partial)

    def _settle_cabin(self) -> None:
        for piece in self._state.outline.pieces:
            if isinstance(piece.what, CabinSaid) and not piece.negated and not self._state.has(Slot.CABIN):
                self._state.fill(Slot.CABIN, piece.what.cabin, piece)
                self._state.draft = replace(self._state.draft, cabin=piece.what.cabin)
