"""What the airport packages know, read once and put together: open airports with their weight.

``airportsdata`` (MIT) has the names, positions and time zones, but also closed airports, and not how large one is.
``airports-py`` (MIT) has the size class and whether airlines fly there; only its data file is read, because its
module builds indexes that would stay in memory. ``data/places.toml`` is our own and settles the rest.
"""

import gzip
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import airportsdata

from bot.flights.model import Airport
from bot.flights.place_names import airport_name, city_name

_SIZE_WEIGHT = {"large_airport": 3, "medium_airport": 2}


@dataclass(frozen=True, slots=True)
class Metropolis:
    """A city with an IATA code of its own and its airports, busiest first."""

    code: str
    name: str
    country: str
    airports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceAirport:
    """An open airport. ``weight`` from 0 (an airstrip) to 5 (among the world's busiest), ``rank`` within a weight."""

    airport: Airport
    names: tuple[str, ...]  # its full names in the packages
    city_names: tuple[str, ...]  # other names of the city
    subdivision: str  # state or region
    weight: int
    rank: int


@dataclass(frozen=True, slots=True)
class PlaceData:
    airports: Mapping[str, SourceAirport]
    metropolises: tuple[Metropolis, ...]
    city_aliases: Mapping[str, str]  # folded name: code of the metropolitan area, or of the city's airport
    airport_aliases: Mapping[str, str]  # folded name: code of the airport
    countries: Mapping[str, str]  # folded name: ISO 3166 alpha-2
    closed: frozenset[str]  # folded names and codes of airports that are no more
    states: Mapping[str, str]  # abbreviation of a US state: its name


def read_places() -> PlaceData:
    """Reads the packages' data files; about 0.4 s."""
    own = tomllib.loads(Path(__file__).with_name("data").joinpath("places.toml").read_text(encoding="utf-8"))
    ranks = _ranks(own["weights"])
    sizes = _sizes()
    airports = {}
    for code, raw in airportsdata.load("IATA").items():
        size = sizes.get(code)
        is_open = size is not None and (size["scheduled_service"] == "TRUE" or code in own["open"]["airports"])
        if size is None or not is_open or not raw["tz"]:
            continue
        airports[code] = _airport(code, raw, size, ranks, own["cities"].get(code), own["airports"].get(code))
    metropolises = tuple(
        Metropolis(code, area["name"], area["country"], tuple(area["airports"]))
        for code, area in own["metropolitan"].items()
    )
    return PlaceData(
        airports=airports,
        metropolises=metropolises,
        city_aliases=own["city_aliases"],
        airport_aliases=own["airport_aliases"],
        countries=own["countries"],
        closed=frozenset(own["closed"]["names"]),
        states=own["states"],
    )


def _sizes() -> dict[str, dict[str, Any]]:
    """Of two rows with one code (a closed airport's successor) the one with flights."""
    data = gzip.decompress(resources.files("airports").joinpath("data/airports.gz").read_bytes())
    rows: Iterable[dict[str, Any]] = json.loads(data)
    sizes: dict[str, dict[str, Any]] = {}
    for row in rows:
        code = row.get("iata")
        if code and (code not in sizes or row["scheduled_service"] == "TRUE"):
            sizes[code] = row
    return sizes


def _ranks(weights: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """IATA code: weight and place in that weight's list."""
    return {code: (int(weight), rank) for weight, codes in weights.items() for rank, code in enumerate(codes.split())}


def _airport(
    code: str,
    raw: Mapping[str, Any],
    size: Mapping[str, Any],
    ranks: Mapping[str, tuple[int, int]],
    city: str | None,
    name: str | None,
) -> SourceAirport:
    """``city`` and ``name`` where our own data knows better."""
    raw_city = city_name(raw["city"])
    city = city or raw_city or airport_name(raw["name"], "")
    airport = Airport(
        iata=code,
        name=name or airport_name(raw["name"], raw_city or city),
        city=city,
        country=raw["country"],
        timezone=raw["tz"],
        latitude=raw["lat"],
        longitude=raw["lon"],
    )
    weight, rank = ranks.get(code, (_SIZE_WEIGHT.get(size["type"], 1), 1000))
    city_names = tuple(part.strip(" )") for part in raw["city"].replace("(", "/").replace(",", "/").split("/"))
    return SourceAirport(airport, (raw["name"], size["airport"]), city_names, raw["subd"], weight, rank)
