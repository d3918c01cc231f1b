"""The gazetteer: the place a traveller means, the large one first, closed ones never."""

import time

import pytest

from bot.flights.model import PlaceKind
from bot.flights.places import Gazetteer, MatchKind


def best(gazetteer: Gazetteer, text: str) -> str | None:
    matches = gazetteer.find(text)
    return matches[0].place.code if matches else None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("LHR", "LHR"),
        ("lhr", "LHR"),
        ("London", "LON"),
        ("heathrow", "LHR"),
        ("London Heathrow Airport", "LHR"),
        ("Frankfurt", "FRA"),
        ("frankfurt hahn", "HHN"),
        ("Paris", "PAR"),
        ("new york", "NYC"),
        ("nyc", "NYC"),
        ("Newark", "EWR"),
        ("Baltimore", "BWI"),
        ("Kiev", "IEV"),
        ("Bombay", "BOM"),
        ("são paulo", "SAO"),
        ("SAO PAULO", "SAO"),
        ("zürich", "ZRH"),
        ("Münich", "MUC"),
        ("St. Petersburg", "LED"),
        ("O'Hare", "ORD"),
        ("Dakar", "DSS"),
        ("goa", "GOI"),
        ("GOA", "GOA"),
        ("Birmingham, Alabama", "BHM"),
        ("Birmingham UK", "BHX"),
        ("Portland ME", "PWM"),
        ("Londres", "LON"),
        ("Warschau", "WAW"),
        ("Genebra", "GVA"),
        ("lodnon", "LON"),
        ("ondon", "LON"),
        ("johanesburg", "JNB"),
        ("barcelna", "BCN"),
    ],
)
def test_names_codes_and_typos_find_the_place_that_is_meant(gazetteer: Gazetteer, text: str, code: str) -> None:
    assert best(gazetteer, text) == code


def test_a_city_has_all_of_its_airports_largest_first(gazetteer: Gazetteer) -> None:
    london = gazetteer.find("London")[0].place
    assert london.airports == ("LHR", "LGW", "STN", "LTN", "LCY", "SEN")
    assert (london.kind, london.label) == (PlaceKind.CITY, "London (any airport)")
    lagos = gazetteer.find("Lagos")[0].place
    assert (lagos.code, lagos.airports, lagos.label) == ("LOS", ("LOS",), "Lagos (LOS)")
    heathrow = gazetteer.find("LHR")[0].place
    assert (heathrow.kind, heathrow.label) == (PlaceKind.AIRPORT, "Heathrow (LHR)")


@pytest.mark.parametrize("closed", ["TXL", "Tegel", "THF", "SXF"])
def test_closed_airports_are_never_found(gazetteer: Gazetteer, closed: str) -> None:
    assert gazetteer.find(closed) == []
    assert gazetteer.is_closed(closed)
    with pytest.raises(KeyError):
        gazetteer.airport("TXL")


def test_every_airport_of_every_place_is_known(gazetteer: Gazetteer) -> None:
    for code in ("LON", "NYC", "TYO", "MOW", "SAO", "WAS"):
        for iata in gazetteer.place(code).airports:
            airport = gazetteer.airport(iata)
            assert airport.timezone
            assert gazetteer.city_of(iata).code == code
    assert len(gazetteer) > 3500


def test_namesakes_are_all_found_busiest_first(gazetteer: Gazetteer) -> None:
    assert [match.place.code for match in gazetteer.find("San Jose")][:2] == ["SJC", "SJO"]
    assert [match.place.code for match in gazetteer.find("London")] == ["LON", "YXU"]


def test_a_typo_says_so(gazetteer: Gazetteer) -> None:
    match = gazetteer.find("lodnon")[0]
    assert (match.kind, match.edits) == (MatchKind.TYPO, 1)
    assert gazetteer.find("xyzzyville") == []
    assert gazetteer.find("") == []


def test_a_country_is_asked_about_with_its_busiest_cities(gazetteer: Gazetteer) -> None:
    france = gazetteer.area("France")
    assert france is not None
    assert (france.code, [city.code for city in france.cities][:3]) == ("FR", ["PAR", "LYS", "NCE"])
    texas = gazetteer.area("texas")
    assert texas is not None
    assert [city.name for city in texas.cities][:2] == ["Dallas", "Houston"]
    assert gazetteer.area("Allemagne") == gazetteer.area("Germany")
    assert gazetteer.area("Lagos") is None


def test_looking_up_takes_less_than_a_millisecond(gazetteer: Gazetteer) -> None:
    names = ["lodnon", "johanesburg", "barcelna", "Birmingham, Alabama", "london", "xyzzyville", "san fransisko"]
    began = time.thread_time()
    for name in names * 20:
        gazetteer.find(name)
    assert (time.thread_time() - began) / (len(names) * 20) < 0.001
