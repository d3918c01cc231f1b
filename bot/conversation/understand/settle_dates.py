"""Settles departure and return: which date is which, what a stay means, and what does not fit together."""

from dataclasses import replace
from datetime import date

from bot.conversation.understand.dates import (
    VAGUE,
    AfterDeparture,
    BareDay,
    DateExpression,
    DateRange,
    DayMonth,
    FromToday,
    Resolved,
    Stay,
    in_month,
    resolve,
    stay_end,
)
from bot.conversation.understand.model import Ambiguity, Found, Problem, ProblemKind, Slot
from bot.conversation.understand.outline import Direction, Piece, Places
from bot.conversation.understand.party import Adding, CabinSaid, Family, Including, People
from bot.conversation.understand.settlement import Settlement

_DATES = (Slot.DEPART, Slot.RETURN)
_NOT_DATES = (Places, Direction, Stay, People, Family, Adding, Including, CabinSaid)


class DateSettler:
    def __init__(self, state: Settlement) -> None:
        self._state = state

    def settle(self) -> None:
        departs, returns = self._date_pieces()
        for piece, said in departs[:1]:
            self._settle_departure(piece, _in_month_of_return(said, returns[0][1]) if returns else said)
        pieces = [piece for piece in self._state.outline.pieces if not piece.negated]
        direction = next((piece for piece in pieces if isinstance(piece.what, Direction)), None)
        stay = next((piece for piece in pieces if isinstance(piece.what, Stay)), None)
        if returns:
            self._settle_return(*returns[0])
        elif direction is not None and direction.what == Direction(one_way=True):
            self._state.fill(Slot.RETURN, None, direction)
            self._state.draft = replace(self._state.draft, one_way=True, return_on=None, stay_days=None)
        elif stay is not None and isinstance(stay.what, Stay):
            self._settle_stay(stay, stay.what)
        elif direction is not None:
            self._state.draft = replace(self._state.draft, one_way=False)
        if self._state.has(Slot.DEPART) and not self._state.has(Slot.RETURN):
            self._move_return()

    def _dates_said(self) -> list[tuple[Piece, DateExpression | DateRange]]:
        """Dates in order. A vague one gives way to the exact one after it: "first week of january, say the 3rd"."""
        said: list[tuple[Piece, DateExpression | DateRange]] = []
        for piece in self._state.outline.pieces:
            if piece.negated or isinstance(piece.what, _NOT_DATES):
                continue
            what = piece.what
            if said and isinstance(said[-1][1], VAGUE) and piece.slot in (None, said[-1][0].slot):
                vague = resolve(said[-1][1], self._state.today).month
                if isinstance(what, BareDay) and vague is not None:
                    what = DayMonth(what.day, vague.month, vague.year)
                said[-1] = (replace(piece, slot=said[-1][0].slot), what)
            else:
                said.append((piece, what))
        return said

    def _date_pieces(self) -> tuple[list[tuple[Piece, DateExpression]], list[tuple[Piece, DateExpression]]]:
        """Dates of departure and of return. A second date is the return; where one alone is unclear, it is asked."""
        departs: list[tuple[Piece, DateExpression]] = []
        returns: list[tuple[Piece, DateExpression]] = []
        loose: list[tuple[Piece, DateExpression]] = []
        for piece, said in self._dates_said():
            if isinstance(said, DateRange):
                departs.append((piece, said.start))
                returns.append((piece, said.end))
            else:
                target = departs if piece.slot is Slot.DEPART else returns if piece.slot is Slot.RETURN else loose
                target.append((piece, said))
        if len(loose) == 1 and not departs and not returns:
            slot = self._slot_of_one_date(*loose[0])
            loose = [] if slot is None else loose
            (returns if slot is Slot.RETURN else departs).extend(loose)
        else:
            for one in loose:
                (returns if departs else departs).append(one)
        return departs, returns

    def _slot_of_one_date(self, piece: Piece, said: DateExpression) -> Slot | None:
        if any(other.what == Direction(one_way=True) and not other.negated for other in self._state.outline.pieces):
            return Slot.DEPART  # also where the return was asked for: there is none
        if self._state.expecting in _DATES:
            return self._state.expecting
        if self._state.known.depart is None:
            return Slot.DEPART
        if self._state.known.one_way:
            return Slot.DEPART
        if isinstance(said, AfterDeparture):
            return Slot.RETURN
        for negated in self._state.outline.pieces:
            if negated.negated and not isinstance(negated.what, (*_NOT_DATES, DateRange)):
                denied = resolve(negated.what, self._state.today).day
                for slot, day in ((Slot.DEPART, self._state.known.depart), (Slot.RETURN, self._state.known.return_on)):
                    if day is not None and day == denied:
                        return slot
        resolved = resolve(said, self._state.today, None)
        if resolved.problem is not None:
            return Slot.DEPART  # there is no such day for either: that is what is said
        days = (resolved.day,) if resolved.day is not None else ()
        self._state.ambiguities.append(
            Ambiguity(Slot.DEPART, self._state.outline.words(piece), dates=days, slots=_DATES)
        )
        return None

    def _settle_departure(self, piece: Piece, said: DateExpression) -> None:
        day = self._day(piece, said, Slot.DEPART, None)
        if day is not None:
            self._state.fill(Slot.DEPART, day, piece)
            self._state.draft = replace(self._state.draft, depart=day, month=None)

    def _settle_return(self, piece: Piece, said: DateExpression) -> None:
        depart, before = self._state.draft.depart, self._state.known.return_on
        if isinstance(said, AfterDeparture) and before is not None and said != AfterDeparture(0):
            self._ask_after_which(piece, said, before)
            return
        day = self._day(piece, said, Slot.RETURN, depart)
        if day is None:
            return
        if depart is not None and day < depart:
            self._state.problem(ProblemKind.RETURN_BEFORE_DEPARTURE, Slot.RETURN, piece)
            return
        self._state.fill(Slot.RETURN, day, piece)
        self._state.draft = replace(self._state.draft, return_on=day, one_way=False, stay_days=None, month=None)

    def _ask_after_which(self, piece: Piece, said: AfterDeparture, before: date) -> None:
        """``a week later``, with a return already known: later than the departure, or than that return?"""
        days = {
            resolve(said, self._state.today, start).day
            for start in (self._state.draft.depart, before)
            if start is not None
        }
        dates = tuple(sorted(day for day in days if day is not None))
        self._state.ambiguities.append(Ambiguity(Slot.RETURN, self._state.outline.words(piece), dates=dates))

    def _day(self, piece: Piece, said: DateExpression, slot: Slot, depart: date | None) -> date | None:
        """The day meant for the slot; where there is none, what to ask or what is wrong is noted."""
        month = self._state.known.month
        if isinstance(said, BareDay) and month is not None and self._state.expecting is slot:
            resolved: Resolved = in_month(said.day, month, self._state.today)
        else:
            resolved = resolve(said, self._state.today, depart)
        if resolved.problem is not None:
            self._state.problem(resolved.problem, slot, piece)
        elif resolved.day is None:
            self._state.ambiguities.append(Ambiguity(slot, self._state.outline.words(piece), dates=resolved.candidates))
            self._state.draft = replace(self._state.draft, month=resolved.month)
        return resolved.day

    def _settle_stay(self, piece: Piece, stay: Stay) -> None:
        if self._state.expecting is Slot.DEPART and self._state.draft.depart is None and not stay.explicit:
            self._settle_departure(piece, FromToday(stay.days, stay.months))
            return
        depart = self._state.draft.depart
        days = stay.days + 30 * stay.months
        self._state.draft = replace(self._state.draft, stay_days=days, one_way=False)
        if depart is not None:
            day = stay_end(depart, stay)
            self._state.fill(Slot.RETURN, day, piece)
            self._state.draft = replace(self._state.draft, return_on=day)

    def _move_return(self) -> None:
        """A new departure moves a return that was said as a stay, and undoes one that now lies before it."""
        draft = self._state.draft
        found = next(found for found in self._state.found if found.slot is Slot.DEPART)
        if draft.depart is None:
            return
        if draft.stay_days is not None:
            day = stay_end(draft.depart, Stay(draft.stay_days))
            self._state.draft = replace(draft, return_on=day, one_way=False)
            self._state.found.append(Found(Slot.RETURN, day, found.words, found.start, found.end))
        elif draft.return_on is not None and draft.return_on < draft.depart:
            if not any(problem.slot is Slot.RETURN for problem in self._state.problems):
                problem = Problem(ProblemKind.RETURN_BEFORE_DEPARTURE, Slot.RETURN, found.words)
                self._state.problems.append(problem)
            self._state.draft = replace(draft, return_on=None, one_way=None)


def _in_month_of_return(said: DateExpression, returning: DateExpression) -> DateExpression:
    """``on the 22nd, back on the 29th of December``: the first day is of the month that is named with the second."""
    if not (isinstance(said, BareDay) and said.ahead is None and isinstance(returning, DayMonth)):
        return said
    if said.day <= returning.day:
        return DayMonth(said.day, returning.month, returning.year)
    return said
