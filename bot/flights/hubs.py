"""The sample airlines' world: who they are, and the large airports that they connect through.

The airlines are invented and so are their designators. Two characters ending in a zero were chosen that no airline in
OpenFlights' list has ever held (checked in November 2026), so a sample flight number can be taken for nobody's. The
airports are real; terminals are given where the airport has numbered ones.
"""

from dataclasses import dataclass
from datetime import timedelta

from bot.flights.draw import draw
from bot.flights.model import Airport


@dataclass(frozen=True, slots=True)
class Carrier:
    code: str  # as an IATA designator looks
    name: str
    range: int = 20_000  # km of its longest nonstop flight
    price: int = 1000  # per mille of the usual fare


NETWORK_CARRIERS = (
    Carrier("X0", "Sample Air"),
    Carrier("J0", "Example Airways", price=1030),
    Carrier("K0", "Placeholder Airlines", price=970),
    Carrier("Q0", "Specimen Airlines", price=1010),
)
LOW_COST_CARRIER = Carrier("U0", "Demo Jet", range=3_000, price=780)  # point to point, no connections


# Airports with so much traffic that airlines connect through them, and their terminals ("" where there is one).
HUBS: dict[str, str] = {
    # North America
    "ATL": "", "ORD": "1 2 3 5", "DFW": "A D E", "DEN": "", "LAX": "4 7 B", "SFO": "", "SEA": "", "JFK": "1 4 8",
    "EWR": "A B C", "MIA": "", "IAH": "D E", "IAD": "", "BOS": "A C E", "CLT": "", "PHX": "3 4", "MSP": "1 2",
    "DTW": "", "HNL": "1 2", "ANC": "", "YYZ": "1 3", "YVR": "", "YUL": "",
    # Latin America
    "MEX": "1 2", "PTY": "1 2", "BOG": "1", "LIM": "", "GRU": "2 3", "EZE": "", "SCL": "1 2", "SJU": "", "CUN": "3 4",
    # Europe
    "LHR": "2 3 4 5", "LGW": "N S", "MAN": "2 3", "DUB": "1 2", "CDG": "1 2E 2F", "AMS": "", "BRU": "", "FRA": "1 2",
    "MUC": "1 2", "DUS": "", "ZRH": "", "VIE": "3", "MAD": "1 4", "BCN": "1 2", "LIS": "1", "FCO": "1 3", "MXP": "1",
    "CPH": "2 3", "ARN": "5", "OSL": "", "HEL": "", "WAW": "", "ATH": "", "IST": "", "KEF": "",
    # Africa
    "CAI": "2 3", "CMN": "1", "ALG": "", "ADD": "2", "NBO": "1A", "JNB": "A B", "CPT": "", "LOS": "1 2", "ACC": "3",
    "DSS": "",
    # Middle East and Central Asia
    "DXB": "1 3", "DOH": "", "AUH": "A", "RUH": "1 2", "JED": "1", "TLV": "3", "AMM": "", "TAS": "", "ALA": "",
    # South Asia
    "DEL": "3", "BOM": "2", "BLR": "1 2", "CMB": "", "DAC": "1", "KTM": "",
    # East and South-East Asia
    "BKK": "", "SIN": "1 2 3", "KUL": "1 2", "CGK": "2 3", "MNL": "1 3", "HKG": "1", "TPE": "1 2", "PVG": "1 2",
    "PEK": "2 3", "CAN": "1 2", "ICN": "1 2", "NRT": "1 2", "HND": "1 2 3", "KIX": "1", "SGN": "", "HAN": "",
    # Oceania
    "SYD": "", "MEL": "", "BNE": "", "PER": "1", "AKL": "", "NAN": "", "PPT": "", "GUM": "",
}  # fmt: skip


def home_carrier(airport: Airport) -> Carrier:
    """The airline that flies to everything this airport is connected with."""
    return NETWORK_CARRIERS[draw(len(NETWORK_CARRIERS), "home", airport.iata)]


def terminal(airport: Airport, carrier: Carrier) -> str | None:
    """Where the airline stands at that airport; None where nothing is known or there is one building."""
    choices = HUBS.get(airport.iata, "").split()
    return choices[draw(len(choices), "terminal", airport.iata, carrier.code)] if choices else None


def connection_time(inbound_origin: Airport, hub: Airport, onward: Airport) -> timedelta:
    """The least time to change planes. Longer over a border, longest where bags go through customs on entry."""
    if inbound_origin.country == hub.country == onward.country:
        return timedelta(minutes=45)
    enters = inbound_origin.country != hub.country
    if enters and hub.country in {"US", "CA"}:  # everybody clears entry at the first airport there
        return timedelta(minutes=105)
    return timedelta(minutes=75)
