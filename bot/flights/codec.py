"""Trips as JSON and back, exactly: offers that were shown, the offer a booking froze, who travels, what was ordered.

A document is ``{"v": 1, "kind": "Offer", "airports": [...], "data": ...}``. Airports are stored whole, so that an old
paper can be printed again when the gazetteer has changed, but each only once a document. A datetime is its wall clock
and its IANA zone, since that is what a flight's time is: ``{"local": "2026-11-27T10:55:00", "zone": "Africa/Lagos"}``,
with ``"fold": 1`` in the hour that a change of the clocks repeats.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from bot.flights.model import Airport
from runtime.errors import LayoverError

VERSION = 1

T = TypeVar("T")

_AIRPORT_KEYS = frozenset(field.name for field in fields(Airport))
_ZONE_KEYS = frozenset({"local", "zone"})


class UnreadableDocument(LayoverError):
    """A stored document is not what it should be: it was written by another version, or damaged."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(f"cannot read a stored {kind}: {why}")


def dump(value: object) -> dict[str, Any]:
    """One value (a dataclass of plain fields, trips and airports anywhere within) as a dict for a JSON column."""
    return _document(type(value).__name__, value)


def dump_all(values: Iterable[Any]) -> dict[str, Any]:
    """Several values of one kind, in order (the offers of a search, the travellers of a party)."""
    listed = list(values)
    names = {type(value).__name__ for value in listed}
    if len(names) > 1:
        raise TypeError(f"one kind a document, got {sorted(names)}")
    return _document(f"{names.pop() if names else ''}[]", listed)


def load(kind: type[T], document: Mapping[str, Any]) -> T:
    """What ``dump`` wrote. Raises UnreadableDocument."""
    value: T = _read(kind, kind.__name__, document, (kind.__name__,))
    return value


def load_all(kind: type[T], document: Mapping[str, Any]) -> tuple[T, ...]:
    """What ``dump_all`` wrote. Raises UnreadableDocument."""
    shape = tuple.__class_getitem__((kind, ...))
    values: tuple[T, ...] = _read(shape, f"{kind.__name__}[]", document, (f"{kind.__name__}[]", "[]"))
    return values


def _document(kind: str, value: Any) -> dict[str, Any]:
    plain = msgspec.to_builtins(value, builtin_types=(datetime,))
    airports: dict[tuple[Any, ...], int] = {}
    data = _map(plain, lambda node: _shorten(node, airports))
    names = [field.name for field in fields(Airport)]
    stored = [dict(zip(names, airport, strict=True)) for airport in airports]
    return {"v": VERSION, "kind": kind, "airports": stored, "data": data}


def _read(shape: Any, name: str, document: Mapping[str, Any], kinds: tuple[str, ...]) -> Any:
    if document.get("v") != VERSION:
        raise UnreadableDocument(name, f"its version is {document.get('v')!r}, this program knows {VERSION}")
    if document.get("kind") not in kinds:
        raise UnreadableDocument(name, f"it holds {document.get('kind')!r}")
    airports = document.get("airports", [])
    try:
        plain = _map(document["data"], lambda node: _restore(node, airports))
        return msgspec.convert(plain, shape, builtin_types=(datetime,))
    except (msgspec.ValidationError, LookupError, ValueError, TypeError) as error:
        raise UnreadableDocument(name, str(error)) from error


def _map(node: Any, change: Callable[[Any], Any]) -> Any:
    """Every node of a tree of dicts and lists through ``change``, leaves first."""
    if isinstance(node, dict):
        return change({key: _map(value, change) for key, value in node.items()})
    if isinstance(node, list | tuple):
        return [_map(value, change) for value in node]
    return change(node)


def _shorten(node: Any, airports: dict[tuple[Any, ...], int]) -> Any:
    if isinstance(node, datetime):
        return _wall_clock(node)
    if isinstance(node, dict) and node.keys() == _AIRPORT_KEYS:
        return {"airport": airports.setdefault(tuple(node.values()), len(airports))}
    return node


def _wall_clock(moment: datetime) -> dict[str, Any]:
    """A moment without an IANA zone (an API's ``+01:00``) is kept in UTC: the same instant."""
    if moment.tzinfo is None:
        raise TypeError(f"a time without a zone cannot be stored: {moment!r}")
    zone = moment.tzinfo.key if isinstance(moment.tzinfo, ZoneInfo) else None
    local = moment if zone else moment.astimezone(UTC)
    stored: dict[str, Any] = {"local": local.replace(tzinfo=None, fold=0).isoformat(), "zone": zone or "UTC"}
    return stored | {"fold": 1} if local.fold else stored


def _restore(node: Any, airports: list[dict[str, Any]]) -> Any:
    if not isinstance(node, dict):
        return node
    if node.keys() >= _ZONE_KEYS:
        zone = UTC if node["zone"] == "UTC" else ZoneInfo(node["zone"])
        return datetime.fromisoformat(node["local"]).replace(tzinfo=zone, fold=node.get("fold", 0))
    if node.keys() == {"airport"}:
        return airports[node["airport"]]
    return node
