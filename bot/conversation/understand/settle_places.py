"""Settles which of the places named is the origin and which the destination."""

from dataclasses import replace

from bot.conversation.understand.model import Ambiguity, Problem, ProblemKind, Slot, TripDraft
from bot.conversation.understand.outline import Piece, Places
from bot.conversation.understand.settlement import Settlement
from bot.flights.model import Place

_PLACES = (Slot.ORIGIN, Slot.DESTINATION)


class PlaceSettler:
    def __init__(self, state: Settlement) -> None:
        self._state = state

    def settle(self) -> None:
        pieces = [piece for piece in self._state.outline.pieces if isinstance(piece.what, Places)]
        slots = self._place_slots([piece for piece in pieces if not piece.negated and not _again(piece)], pieces)
        for piece, slot in slots:
            self._settle_place(piece, slot)
        origin, destination = self._state.draft.origin, self._state.draft.destination
        said = self._state.has(Slot.ORIGIN) or self._state.has(Slot.DESTINATION)
        if said and origin and destination and not set(origin.airports).isdisjoint(destination.airports):
            slot = Slot.DESTINATION if self._state.has(Slot.DESTINATION) else Slot.ORIGIN
            same = next(found for found in self._state.found if found.slot is slot)
            self._state.found.remove(same)
            self._state.problems.append(Problem(ProblemKind.SAME_PLACE, slot, same.words))
            self._state.draft = _with_place(self._state.draft, slot, _place_of(self._state.known, slot))

    def _place_slots(self, pieces: list[Piece], everything: list[Piece]) -> list[tuple[Piece, Slot | None]]:
        """Each place with its slot: as announced, else origin before destination, else what is asked or missing."""
        taken = {piece.slot for piece in pieces}
        open_slots = [slot for slot in _PLACES if slot not in taken]
        loose = [piece for piece in pieces if piece.slot is None]
        if len(loose) == 1 and len(open_slots) == 2:
            open_slots = self._slots_for_one(everything)
        settled: list[tuple[Piece, Slot | None]] = []
        for piece in pieces:
            slot = piece.slot
            if slot is None and piece in loose:
                slot = open_slots.pop(0) if open_slots else None
                if slot is None and len(loose) > 1:
                    continue  # a third place: stopovers are not ours to plan
            settled.append((piece, slot))
        return settled

    def _slots_for_one(self, everything: list[Piece]) -> list[Slot]:
        """The slot of the only place of a message that does not say for what it is; empty: to be asked."""
        for piece in everything:
            if piece.negated and isinstance(piece.what, Places):
                return [slot for slot in _PLACES if _place_of(self._state.known, slot) in piece.what.candidates]
        if self._state.expecting in _PLACES:
            return [self._state.expecting] if self._state.expecting is not None else []
        if self._state.known.destination is None:
            return [Slot.DESTINATION]
        return [Slot.ORIGIN] if self._state.known.origin is None else []

    def _settle_place(self, piece: Piece, slot: Slot | None) -> None:
        assert isinstance(piece.what, Places)
        words = self._state.outline.words(piece)
        candidates = piece.what.candidates
        if not candidates:
            self._state.problem(ProblemKind.UNKNOWN_PLACE, slot or Slot.DESTINATION, piece)
        elif len(candidates) > 1 or slot is None:
            slots = _PLACES if slot is None else ()
            self._state.ambiguities.append(Ambiguity(slot or Slot.DESTINATION, words, places=candidates, slots=slots))
        else:
            self._state.fill(slot, candidates[0], piece)
            self._state.draft = _with_place(self._state.draft, slot, candidates[0])


def _again(piece: Piece) -> bool:
    """Named with the way back, where the way out said it already."""
    return isinstance(piece.what, Places) and piece.what.of_return


def _place_of(draft: TripDraft, slot: Slot) -> Place | None:
    return draft.origin if slot is Slot.ORIGIN else draft.destination


def _with_place(draft: TripDraft, slot: Slot, place: Place | None) -> TripDraft:
    return replace(draft, origin=place) if slot is Slot.ORIGIN else replace(draft, destination=place)
