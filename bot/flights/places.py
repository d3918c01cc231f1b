"""The gazetteer: which airport or city a traveller means, without a network."""

from dataclasses import dataclass
from enum import StrEnum

from bot.flights.model import Airport, Place


class MatchKind(StrEnum):
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
    edits: int = 0  # letters that had to be changed, for a typo


@dataclass(frozen=True, slots=True)
class Country:
    """A country named instead of a city: ask which of its ``cities`` (busiest first)."""

    code: str  # ISO 3166 alpha-2
    name: str
    cities: tuple[Place, ...]


class Gazetteer:
    """Built once (``load``), then read-only and safe to share."""

    @classmethod
    def load(cls) -> "Gazetteer":
        return cls()

    def airport(self, iata: str) -> Airport:
        """Raises KeyError for a code that no open airport has."""
        raise KeyError(iata)

    def find(self, text: str, limit: int = 5) -> list[PlaceMatch]:
        """Places meant by ``text``, best first."""
        return []

    def country(self, text: str) -> Country | None:
        """The country that ``text`` names, if it names one."""
        return None
