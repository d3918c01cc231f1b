"""Settles which slot each thing said belongs to, on top of what is known, and what is open or wrong with it."""

from dataclasses import replace
from datetime import date

from bot.conversation.understand.dates import (
    BareDay,
    DateExpression,
    DateRange,
    FromToday,
    Resolved,
    Stay,
    in_month,
    resolve,
    stay_end,
)
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
from bot.conversation.understand.outline import Direction, Outline, Piece, Places
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
from bot.flights.model import Place

_PLACES = (Slot.ORIGIN, Slot.DESTINATION)
_DATES = (Slot.DEPART, Slot.RETURN)
_NOT_DATES = (Places, Direction, Stay, People, Family, Adding, Including, CabinSaid)


def settle(outline: Outline, today: date, expecting: Slot | None, known: TripDraft) -> Understanding:
    return _Settler(outline, today, expecting, known).settle()


class _Settler:
    def __init__(self, outline: Outline, today: date, expecting: Slot | None, known: TripDraft) -> None:
        self._outline = outline
        self._today = today
        self._expecting = expecting
        self._draft = known
        self._known = known
        self._found: list[Found] = []
        self._ambiguities: list[Ambiguity] = []
        self._problems: list[Problem] = []

    def settle(self) -> Understanding:
        self._settle_places()
        self._settle_dates()
        self._settle_party()
        self._settle_cabin()
        return Understanding(self._draft, tuple(self._found), tuple(self._ambiguities), tuple(self._problems))

    def _fill(self, slot: Slot, value: SlotValue, piece: Piece) -> None:
        line = self._outline.line
        start, end = line[piece.start].start, line[piece.end - 1].end
        self._found = [found for found in self._found if found.slot is not slot]
        self._found.append(Found(slot, value, self._outline.text[start:end], start, end))

    def _problem(self, kind: ProblemKind, slot: Slot, piece: Piece) -> None:
        self._problems.append(Problem(kind, slot, self._outline.words(piece)))

    def _has(self, slot: Slot) -> bool:
        return any(found.slot is slot for found in self._found)

    # --- places

    def _settle_places(self) -> None:
        pieces = [piece for piece in self._outline.pieces if isinstance(piece.what, Places)]
        slots = self._place_slots([piece for piece in pieces if not piece.negated and not _again(piece)], pieces)
        for piece, slot in slots:
            self._settle_place(piece, slot)
        origin, destination = self._draft.origin, self._draft.destination
        if origin and destination and not set(origin.airports).isdisjoint(destination.airports):
            slot = Slot.DESTINATION if self._has(Slot.DESTINATION) else Slot.ORIGIN
            same = next(found for found in self._found if found.slot is slot)
            self._found.remove(same)
            self._problems.append(Problem(ProblemKind.SAME_PLACE, slot, same.words))
            self._draft = _with_place(self._draft, slot, _place_of(self._known, slot))

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
                return [slot for slot in _PLACES if _place_of(self._known, slot) in piece.what.candidates]
        if self._expecting in _PLACES:
            return [self._expecting] if self._expecting is not None else []
        if self._known.destination is None:
            return [Slot.DESTINATION]
        return [Slot.ORIGIN] if self._known.origin is None else []

    def _settle_place(self, piece: Piece, slot: Slot | None) -> None:
        assert isinstance(piece.what, Places)
        words = self._outline.words(piece)
        candidates = piece.what.candidates
        if not candidates:
            self._problem(ProblemKind.UNKNOWN_PLACE, slot or Slot.DESTINATION, piece)
        elif len(candidates) > 1 or slot is None:
            slots = _PLACES if slot is None else ()
            self._ambiguities.append(Ambiguity(slot or Slot.DESTINATION, words, places=candidates, slots=slots))
        else:
            self._fill(slot, candidates[0], piece)
            self._draft = _with_place(self._draft, slot, candidates[0])

    # --- dates

    def _settle_dates(self) -> None:
        departs, returns = self._date_pieces()
        for piece, said in departs[:1]:
            self._settle_departure(piece, said)
        one_way = next((p for p in self._outline.pieces if isinstance(p.what, Direction) and not p.negated), None)
        stay = next((p for p in self._outline.pieces if isinstance(p.what, Stay)), None)
        if returns:
            self._settle_return(*returns[0])
        elif one_way is not None:
            self._settle_direction(one_way)
        elif stay is not None and isinstance(stay.what, Stay):
            self._settle_stay(stay, stay.what)
        elif self._has(Slot.DEPART):
            self._move_return()

    def _date_pieces(self) -> tuple[list[tuple[Piece, DateExpression]], list[tuple[Piece, DateExpression]]]:
        """Dates of departure and of return. A second date is the return; where one alone is unclear, it is asked."""
        departs: list[tuple[Piece, DateExpression]] = []
        returns: list[tuple[Piece, DateExpression]] = []
        loose: list[tuple[Piece, DateExpression]] = []
        for piece in self._outline.pieces:
            if piece.negated:
                continue
            if isinstance(piece.what, DateRange):
                departs.append((piece, piece.what.start))
                returns.append((piece, piece.what.end))
            elif not isinstance(piece.what, _NOT_DATES):
                target = {Slot.DEPART: departs, Slot.RETURN: returns}.get(piece.slot or Slot.CABIN, loose)
                target.append((piece, piece.what))
        if len(loose) == 1 and not departs and not returns:
            slot = self._slot_of_one_date(*loose[0])
            loose = [] if slot is None else loose
            (returns if slot is Slot.RETURN else departs).extend(loose)
        else:
            for one in loose:
                (returns if departs else departs).append(one)
        return departs, returns

    def _slot_of_one_date(self, piece: Piece, said: DateExpression) -> Slot | None:
        if self._expecting in _DATES:
            return self._expecting
        if self._known.depart is None:
            return Slot.DEPART
        if self._known.one_way:
            return Slot.DEPART
        day = resolve(said, self._today, None).day
        days = (day,) if day is not None else ()
        self._ambiguities.append(Ambiguity(Slot.DEPART, self._outline.words(piece), dates=days, slots=_DATES))
        return None

    def _settle_departure(self, piece: Piece, said: DateExpression) -> None:
        day = self._day(piece, said, Slot.DEPART, None)
        if day is not None:
            self._fill(Slot.DEPART, day, piece)
            self._draft = replace(self._draft, depart=day, month=None)

    def _settle_return(self, piece: Piece, said: DateExpression) -> None:
        depart = self._draft.depart
        day = self._day(piece, said, Slot.RETURN, depart)
        if day is None:
            return
        if depart is not None and day < depart:
            self._problem(ProblemKind.RETURN_BEFORE_DEPARTURE, Slot.RETURN, piece)
            return
        self._fill(Slot.RETURN, day, piece)
        self._draft = replace(self._draft, return_on=day, one_way=False, stay_days=None, month=None)

    def _day(self, piece: Piece, said: DateExpression, slot: Slot, depart: date | None) -> date | None:
        """The day meant for the slot; where there is none, what to ask or what is wrong is noted."""
        month = self._known.month
        if isinstance(said, BareDay) and month is not None and self._expecting is slot:
            resolved: Resolved = in_month(said.day, month, self._today)
        else:
            resolved = resolve(said, self._today, depart)
        if resolved.problem is not None:
            self._problem(resolved.problem, slot, piece)
        elif resolved.day is None:
            self._ambiguities.append(Ambiguity(slot, self._outline.words(piece), dates=resolved.candidates))
            self._draft = replace(self._draft, month=resolved.month)
        return resolved.day

    def _settle_direction(self, piece: Piece) -> None:
        assert isinstance(piece.what, Direction)
        if piece.what.one_way:
            self._fill(Slot.RETURN, None, piece)
            self._draft = replace(self._draft, one_way=True, return_on=None, stay_days=None)
        else:
            self._draft = replace(self._draft, one_way=False)

    def _settle_stay(self, piece: Piece, stay: Stay) -> None:
        if self._expecting is Slot.DEPART and self._draft.depart is None and not stay.explicit:
            self._settle_departure(piece, FromToday(stay.days, stay.months))
            return
        depart = self._draft.depart
        days = stay.days + 30 * stay.months
        self._draft = replace(self._draft, stay_days=days, one_way=False)
        if depart is not None:
            day = stay_end(depart, stay)
            self._fill(Slot.RETURN, day, piece)
            self._draft = replace(self._draft, return_on=day)

    def _move_return(self) -> None:
        """A new departure moves a return that was said as a stay, and undoes one that now lies before it."""
        depart, known = self._draft.depart, self._known
        found = next(found for found in self._found if found.slot is Slot.DEPART)
        if depart is None:
            return
        if known.stay_days is not None:
            day = stay_end(depart, Stay(known.stay_days))
            self._draft = replace(self._draft, return_on=day, one_way=False)
            self._found.append(Found(Slot.RETURN, day, found.words, found.start, found.end))
        elif known.return_on is not None and not known.one_way and known.return_on < depart:
            self._problems.append(Problem(ProblemKind.RETURN_BEFORE_DEPARTURE, Slot.RETURN, found.words))
            self._draft = replace(self._draft, return_on=None, one_way=None)

    # --- travellers and cabin

    def _settle_party(self) -> None:
        pieces = [piece for piece in self._outline.pieces if not piece.negated]
        who = [(piece, piece.what) for piece in pieces if isinstance(piece.what, (People, Family, Adding, Including))]
        who += [(p, p.what.people) for p in pieces if isinstance(p.what, CabinSaid) and p.what.people is not None]
        counted = count([what for _, what in who], self._known.party)
        if who:
            piece = Piece(who[0][1], min(p.start for p, _ in who), max(p.end for p, _ in who))
        else:
            piece = Piece(Direction(False), 0, len(self._outline.line))
        partial = self._known.partial_party
        if self._expecting is Slot.CHILD_AGES and partial is not None and self._only_children(who):
            ages = read_ages(self._outline.line)
            counted = complete(partial, ages) if ages else counted
        elif counted is None and self._expecting is Slot.PARTY and any(what == People(myself=True) for _, what in who):
            counted = count([People(adults=1)], None)
        if counted is not None:
            self._take_party(counted, piece)

    @staticmethod
    def _only_children(who: list[tuple[Piece, People | Family | Adding | Including]]) -> bool:
        return not any(isinstance(what, People) and (what.adults or what.persons) for _, what in who)

    def _take_party(self, counted: Counted, piece: Piece) -> None:
        if counted.party is not None:
            self._fill(Slot.PARTY, counted.party, piece)
            self._draft = replace(self._draft, party=counted.party, partial_party=None)
        elif counted.problem is not None:
            self._problem(counted.problem, Slot.PARTY, piece)
        elif counted.partial is not None:
            slot = Slot.CHILD_AGES if counted.partial.children_without_age else Slot.PARTY
            self._ambiguities.append(Ambiguity(slot, self._outline.words(piece)))
            self._draft = replace(self._draft, party=None, partial_party=counted.partial)

    def _settle_cabin(self) -> None:
        for piece in self._outline.pieces:
            if isinstance(piece.what, CabinSaid) and not piece.negated and not self._has(Slot.CABIN):
                self._fill(Slot.CABIN, piece.what.cabin, piece)
                self._draft = replace(self._draft, cabin=piece.what.cabin)


def _again(piece: Piece) -> bool:
    """Named with the way back, where the way out said it already."""
    return isinstance(piece.what, Places) and piece.what.of_return


def _place_of(draft: TripDraft, slot: Slot) -> Place | None:
    return draft.origin if slot is Slot.ORIGIN else draft.destination


def _with_place(draft: TripDraft, slot: Slot, place: Place | None) -> TripDraft:
    return replace(draft, origin=place) if slot is Slot.ORIGIN else replace(draft, destination=place)
