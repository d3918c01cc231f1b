"""Builds the gazetteer's tables: every code and every name, each with the places it can mean, busiest first."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from babel import Locale

from bot.flights.model import Place, PlaceKind
from bot.flights.place_names import airport_name, fold
from bot.flights.place_sources import Metropolis, PlaceData, SourceAirport

_CITIES_OF_AREA = 6  # as many as one wants to see as buttons


class MatchKind(StrEnum):
    """How a place was recognised."""

    CODE = "code"
    CITY = "city"
    AIRPORT = "airport"
    TYPO = "typo"


@dataclass(frozen=True, slots=True)
class PlaceMatch:
    """``weight`` says how much traffic the place has, 0 (an airfield) to 5 (among the world's busiest)."""

    place: Place
    kind: MatchKind
    weight: int
    rank: int = 0  # within a weight, the busiest first
    edits: int = 0  # letters that had to be changed, for a typo


@dataclass(frozen=True, slots=True)
class Area:
    """A country, or a state of the US, named instead of a city: ask which of its ``cities`` (busiest first)."""

    code: str  # ISO 3166 alpha-2 ("FR"), or "US-" and the state's name
    name: str
    cities: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class PlaceIndex:
    """Names are folded (``place_names.fold``). ``cities``: the city that each airport serves."""

    codes: Mapping[str, PlaceMatch]
    cities: Mapping[str, Place]
    names: Mapping[str, tuple[PlaceMatch, ...]]
    areas: Mapping[str, Area]


# Beside English, the languages in which travellers may name cities and countries.
LANGUAGES = ("fr", "es", "pt", "de")

_Names = dict[str, dict[Place, PlaceMatch]]


def build_index(data: PlaceData) -> PlaceIndex:
    metropolises = {area.code: _metropolitan_place(area) for area in data.metropolises}
    cities = {code: place for place in metropolises.values() for code in place.airports}
    for code, source in data.airports.items():
        cities.setdefault(code, _own_city(source))
    codes = {code: _airport_match(source, cities[code]) for code, source in data.airports.items()}
    names: _Names = defaultdict(dict)
    for code, place in metropolises.items():
        match = _as_city(place, data)
        codes.setdefault(code, match)
        _add(names, fold(place.name), match)
    for code, source in data.airports.items():
        _name_airport(names, source, cities[code], codes[code])
    _name_in_languages(names)
    for alias, code in data.city_aliases.items():
        names[alias] = _only(_as_city(metropolises.get(code) or cities[code], data))
    for alias, code in data.airport_aliases.items():
        names[alias] = _only(codes[code])
    ranked = {name: tuple(sorted(places.values(), key=_busiest)) for name, places in names.items() if name}
    return PlaceIndex(codes, cities, ranked, _areas(data, cities))


def _metropolitan_place(area: Metropolis) -> Place:
    return Place(area.code, area.name, PlaceKind.CITY, area.country, area.airports)


def _own_city(source: SourceAirport) -> Place:
    airport = source.airport
    return Place(airport.iata, airport.city, PlaceKind.CITY, airport.country, (airport.iata,))


def _airport_match(source: SourceAirport, city: Place) -> PlaceMatch:
    """An airport under its own name where its city has others, else its city."""
    airport = source.airport
    place = city
    if len(city.airports) > 1:
        place = Place(airport.iata, airport.name, PlaceKind.AIRPORT, airport.country, (airport.iata,))
    return PlaceMatch(place, MatchKind.CODE, source.weight, source.rank)


def _as_city(place: Place, data: PlaceData) -> PlaceMatch:
    first = data.airports[place.airports[0]]
    return PlaceMatch(place, MatchKind.CITY, first.weight, first.rank)


def _name_airport(names: _Names, source: SourceAirport, city: Place, by_code: PlaceMatch) -> None:
    """The names of its city and its own, with and without the city and the word "airport".

    A town of its own name inside a metropolitan area (Baltimore, Luton) is the airport there, not the whole area.
    """
    airport = source.airport
    own = _own_city(source) if fold(airport.city) != fold(city.name) else city
    if own != city or len(city.airports) == 1:
        taken = {fold(city.name)} if own != city else set()
        for name in {fold(name) for name in (airport.city, *source.city_names)} - taken:
            _add(names, name, PlaceMatch(own, MatchKind.CITY, source.weight, source.rank))
    match = PlaceMatch(by_code.place, MatchKind.AIRPORT, source.weight, source.rank)
    spelled = {raw for name in source.names for raw in (name, airport_name(name, ""), airport_name(name, airport.city))}
    for name in {fold(name) for name in spelled} - {fold(airport.city), fold(city.name)}:
        _add(names, name, match)


def _name_in_languages(names: _Names) -> None:
    """Cities that give a time zone its name are known by it in every language (CLDR): Londres, Warschau, Pékin."""
    english = Locale("en").time_zones
    for language in LANGUAGES:
        for zone, labels in Locale(language).time_zones.items():
            city = fold(english.get(zone, {}).get("city") or zone.rpartition("/")[2].replace("_", " "))
            local = fold(labels.get("city") or "")
            if local and local != city and city in names:
                best = min(names[city].values(), key=_busiest)
                if best.weight >= 2 and all(known.weight < best.weight for known in names[local].values()):
                    names[local] = {best.place: best}


def _add(names: _Names, name: str, match: PlaceMatch) -> None:
    names[name].setdefault(match.place, match)


def _only(match: PlaceMatch) -> dict[Place, PlaceMatch]:
    return {match.place: match}


def _busiest(match: PlaceMatch) -> tuple[int, int, str]:
    return -match.weight, match.rank, match.place.code


def _areas(data: PlaceData, cities: Mapping[str, Place]) -> dict[str, Area]:
    """Countries by their English names and others in use, and the states of the US."""
    english: Mapping[str, str] = Locale("en").territories
    languages = [Locale(language).territories for language in LANGUAGES]
    countries = _busiest_cities(data, cities, lambda source: source.airport.country)
    states = _busiest_cities(data, cities, _state)
    areas = {fold(state): Area(f"US-{state}", state, places) for state, places in states.items()}
    for code, places in countries.items():
        area = Area(code, english.get(code, code), places)
        for territories in languages:
            areas.setdefault(fold(territories.get(code, code)), area)
        areas[fold(area.name)] = area
    for alias, code in data.countries.items():
        if code in countries:
            areas[alias] = Area(code, english.get(code, code), countries[code])
    return areas


def _state(source: SourceAirport) -> str | None:
    return source.subdivision if source.airport.country == "US" else None


def _busiest_cities(
    data: PlaceData, cities: Mapping[str, Place], area_of: Callable[[SourceAirport], str | None]
) -> dict[str, tuple[Place, ...]]:
    found: dict[str, list[Place]] = defaultdict(list)
    ranked: Iterable[SourceAirport] = sorted(data.airports.values(), key=lambda source: (-source.weight, source.rank))
    for source in ranked:
        area, city = area_of(source), cities[source.airport.iata]
        if area and city not in found[area] and len(found[area]) < _CITIES_OF_AREA:
            found[area].append(city)
    return {area: tuple(places) for area, places in found.items()}
