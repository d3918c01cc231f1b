"""How far and which way: great circles on the sphere, and the time that a jet takes along them."""

from datetime import timedelta
from functools import lru_cache
from math import asin, atan2, cos, pi, radians, sin, sqrt

from bot.flights.model import Airport

EARTH_RADIUS = 6371.0088  # km, mean (IUGG)
MAX_RANGE = 15_500  # km; the longest scheduled flight today is about 15,350 km (SIN-JFK)
SHORTEST_HOP = 80  # km; nearer than that nobody flies

_GROUND_MINUTES = 40  # taxi out and in, climb and approach
_CRUISE = 830  # km/h, averaged over climb, cruise and descent
_WIND = 0.05  # how much the westerlies of the middle latitudes take or give on a course due west or east


@lru_cache(maxsize=65536)
def distance(a: Airport, b: Airport) -> int:
    """Great-circle distance, km (haversine)."""
    lat_a, lat_b = radians(a.latitude), radians(b.latitude)
    half = sin((lat_b - lat_a) / 2) ** 2
    half += cos(lat_a) * cos(lat_b) * sin(radians(b.longitude - a.longitude) / 2) ** 2
    return round(2 * EARTH_RADIUS * asin(min(1.0, sqrt(half))))


def same_city(a: Airport, b: Airport) -> bool:
    """Are they airports of one city? Small fields whose city is not known are each their own."""
    return a.iata == b.iata or (bool(a.city) and (a.city, a.country) == (b.city, b.country))


def course(a: Airport, b: Airport) -> float:
    """The initial bearing from ``a`` to ``b``, degrees from north, 0 to 360."""
    lat_a, lat_b = radians(a.latitude), radians(b.latitude)
    ahead = radians(b.longitude - a.longitude)
    east = sin(ahead) * cos(lat_b)
    north = cos(lat_a) * sin(lat_b) - sin(lat_a) * cos(lat_b) * cos(ahead)
    return (atan2(east, north) * 180 / pi) % 360


def block_time(a: Airport, b: Airport) -> timedelta:
    """From gate to gate, to five minutes: a steady jet, a little slower westward in the middle latitudes."""
    wind = _WIND * sin(radians(_mean_course(a, b))) if 30 < abs(a.latitude + b.latitude) / 2 < 65 else 0.0
    minutes = _GROUND_MINUTES + distance(a, b) / _CRUISE * 60 * (1 - wind)
    return timedelta(minutes=5 * round(minutes / 5))


def _mean_course(a: Airport, b: Airport) -> float:
    """East or west on the whole: the bearing half way, from both ends (a great circle's course turns)."""
    return (course(a, b) + _difference(course(a, b), (course(b, a) + 180) % 360) / 2) % 360


def _difference(start: float, end: float) -> float:
    """The turn from one bearing to another, degrees, -180 to 180."""
    return (end - start + 180) % 360 - 180
