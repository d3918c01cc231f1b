"""The gazetteer: which airport, city or country a traveller means, without a network."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from rapidfuzz.distance import OSA

from bot.flights.model import Airport, Place
from bot.flights.place_index import Area, MatchKind, PlaceIndex, PlaceMatch, build_index
from bot.flights.place_names import fold
from bot.flights.place_sources import PlaceData, read_places

__all__ = ["Area", "Gazetteer", "MatchKind", "PlaceMatch"]

_LONGEST_TYPO = 40
_SHORTEST_TYPO = 4  # letters; with three, every word is near some name


class Gazetteer:
    """Every airport with scheduled flights, by code and by name. Built once, then read-only and safe to share."""

    def __init__(self, data: PlaceData, index: PlaceIndex) -> None:
        self._airports = {code: source.airport for code, source in data.airports.items()}
        self._subdivisions = {code: fold(source.subdivision) for code, source in data.airports.items()}
        self._states = {short.casefold(): fold(name) for short, name in data.states.items()}
        self._closed = data.closed
        self._index = index
        self._typo_targets = _by_length_and_letter(index.names)
        self.max_words = max(len(name.split()) for name in index.names)

    @classmethod
    def load(cls) -> "Gazetteer":
        """Reads the packages' data: about half a second, so do it at start or in a thread."""
        data = read_places()
        return cls(data, build_index(data))

    def __len__(self) -> int:
        return len(self._airports)

    def airport(self, iata: str) -> Airport:
        """Raises KeyError for a code that no open airport has."""
        return self._airports[iata]

    def place(self, code: str) -> Place:
        """The airport, or else the metropolitan area, with this code. Raises KeyError."""
        return self._index.codes[code].place

    def city_of(self, iata: str) -> Place:
        """The city an airport serves, with all of its airports. Raises KeyError."""
        return self._index.cities[iata]

    def find(self, text: str, limit: int = 5) -> list[PlaceMatch]:
        """Places meant by ``text``, best first: its code, its name ("Birmingham, Alabama" too), or a typo of it.

        A busier place of that name comes before a code in small letters ("goa" is the city, GOA is Genoa).
        """
        name = fold(text)
        matches = list(self.named(name) or self.qualified(name))
        code = self.coded(name)
        if code is not None:
            matches = [match for match in matches if match.place != code.place]
            named_first = bool(matches) and not text.isupper() and matches[0].weight > code.weight
            matches.insert(1 if named_first else 0, code)
        return (matches or self.typos(name))[:limit]

    def coded(self, code: str) -> PlaceMatch | None:
        """The place with this IATA code, in either case."""
        return self._index.codes.get(code.upper()) if len(code) == 3 else None

    def named(self, name: str) -> tuple[PlaceMatch, ...]:
        """Every place with exactly this folded name, busiest first."""
        return self._index.names.get(name, ())

    def qualified(self, name: str) -> tuple[PlaceMatch, ...]:
        """Places whose folded name is followed by their country or state: ``paris france``, ``portland me``."""
        words = name.split()[: self.max_words + 4]
        for cut in range(len(words) - 1, 0, -1):
            found = self.within(self.named(" ".join(words[:cut])), " ".join(words[cut:]))
            if found:
                return found
        return ()

    def is_closed(self, text: str) -> bool:
        """Whether ``text`` names an airport that is no more (Tegel)."""
        return fold(text) in self._closed

    def within(self, matches: Iterable[PlaceMatch], qualifier: str) -> tuple[PlaceMatch, ...]:
        """Those of the matches that lie in the country, state or region that ``qualifier`` (folded) names."""
        area = self._index.areas.get(qualifier)
        country = area.code if area is not None else None
        state = self._states.get(qualifier, qualifier)
        return tuple(
            match
            for match in matches
            if match.place.country == country or any(self._subdivisions[code] == state for code in match.place.airports)
        )

    def area(self, text: str) -> Area | None:
        """The country, or US state, that ``text`` names, if it names one."""
        return self.area_named(fold(text))

    def area_named(self, name: str) -> Area | None:
        """The same for a folded name."""
        return self._index.areas.get(name)

    def is_qualifier(self, name: str) -> bool:
        """Whether a folded name can follow a city's name: a country, a state or its abbreviation."""
        return name in self._index.areas or name in self._states

    def typos(self, name: str, min_weight: int = 2) -> list[PlaceMatch]:
        """Places whose name is a few letters away from ``name`` (folded), the nearest and busiest first.

        One edit in names of four and five letters, two in longer ones, three from twelve on; a swap of neighbours is
        one edit. Where the first letter is wrong, nothing else may be.
        """
        if not _SHORTEST_TYPO <= len(name) <= _LONGEST_TYPO or name in self._closed:
            return []
        found: dict[Place, PlaceMatch] = {}
        for target, allowed in self._typo_candidates(name):
            edits = OSA.distance(name, target, score_cutoff=allowed)
            if edits > allowed:
                continue
            for match in self._index.names[target]:
                known = found.get(match.place)
                if match.weight >= min_weight and (known is None or known.edits > edits):
                    found[match.place] = replace(match, kind=MatchKind.TYPO, edits=edits)
        return sorted(found.values(), key=lambda match: (match.edits, -match.weight, match.rank))

    def _typo_candidates(self, name: str) -> Iterator[tuple[str, int]]:
        """Names of nearly this length with the same first letter, and those whose start is one edit away."""
        allowed = 1 if len(name) < 6 else 2 if len(name) < 12 else 3
        for length in range(len(name) - allowed, len(name) + allowed + 1):
            for target in self._typo_targets.get((length, 0, name[0]), ()):
                yield target, allowed
        for length in range(len(name) - 1, len(name) + 2):
            for place, letter in {(1, name[0]), (1, name[1]), (0, name[1])}:
                for target in self._typo_targets.get((length, place, letter), ()):
                    if target[0] != name[0]:
                        yield target, 1


def _by_length_and_letter(names: Mapping[str, object]) -> dict[tuple[int, int, str], list[str]]:
    """Names by their length and by their first (0) or second (1) letter."""
    targets: dict[tuple[int, int, str], list[str]] = defaultdict(list)
    for name in names:
        if len(name) >= _SHORTEST_TYPO:
            targets[len(name), 0, name[0]].append(name)
            targets[len(name), 1, name[1]].append(name)
    return dict(targets)
