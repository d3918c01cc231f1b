"""The sweep's memory: a file of JSON lines, each on disk before what it announces is done.

A transaction is written down signed, with its nonce, before it is sent. So after a cut at any moment the same
transaction is sent again, or another one with the same nonce, of which the chain takes one. The file holds no key; a
signed transaction can do nothing but what it says.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from runtime.errors import LayoverError


class BadJournal(LayoverError):
    """It cannot be used; the message says why and what to do."""


class Outcome(StrEnum):
    """What became of a signed transaction."""

    CONFIRMED = "confirmed"  # deep enough in the chain
    FAILED = "failed"  # in the chain, and reverted: the money stayed, the fee is gone
    DROPPED = "dropped"  # the node will not have it: another one with the same nonce takes its place
    OVERTAKEN = "overtaken"  # its nonce was used by a transaction that is not ours
    REOPENED = "reopened"  # a reorg took it back after it was confirmed


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction that moves ``amount`` units away from ``address``; ``fee`` in wei at most."""

    address: str
    index: int
    nonce: int
    recipient: str
    token: str | None
    amount: int
    gas_price: int
    fee: int
    hash: str
    raw: str

    def as_json(self) -> dict[str, Any]:
        numbers = {name: str(getattr(self, name)) for name in _BIG}
        names = ("address", "index", "nonce", "recipient", "token", "hash", "raw")
        return {name: getattr(self, name) for name in names} | numbers

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        values = {name: data[name] for name in cls.__slots__}
        return cls(**(values | {name: int(data[name]) for name in _BIG}))


_BIG = ("amount", "gas_price", "fee")  # as text: JSON's numbers are not exact for all readers


@dataclass(slots=True)
class Track:
    """All that was signed for an address, in order, and how the last of it ended."""

    signed: list[Signed] = field(default_factory=list)
    outcome: Outcome | None = None  # None: on its way

    @property
    def last(self) -> Signed:
        return self.signed[-1]

    @property
    def rivals(self) -> list[Signed]:
        """Those of the last nonce: the chain takes one of them."""
        return [each for each in self.signed if each.nonce == self.last.nonce]

    @property
    def is_open(self) -> bool:
        """One of the rivals may be taken yet, or has been and we do not know."""
        return self.outcome in (None, Outcome.DROPPED)


class Journal:
    """Opened with ``Journal.open``; one process at a time."""

    def __init__(self, path: Path, file: Any, tracks: dict[str, Track]) -> None:
        self.path = path
        self._file = file
        self.tracks = tracks

    @classmethod
    @contextmanager
    def open(cls, path: Path, chain_id: int, genesis: str) -> Iterator[Self]:
        """Read it, or begin it. Raises BadJournal: in use, of another chain, or damaged."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise BadJournal(f"the journal {path} cannot be opened: {error.strerror}") from None
        with os.fdopen(descriptor, "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BadJournal(f"the journal {path} is in use: another sweep is under way") from None
            header = {"chain_id": chain_id, "genesis": genesis}
            lines = _whole_lines(path, file)
            if lines and lines[0] != {"kind": "header", **header}:
                raise BadJournal(f"the journal {path} belongs to another chain: name another one with --journal")
            journal = cls(path, file, _tracks(path, lines[1:]))
            if not lines:
                journal._write([{"kind": "header", **header}])
            yield journal

    @property
    def open_tracks(self) -> list[Track]:
        return [track for track in self.tracks.values() if track.is_open]

    def sign(self, signed: Iterable[Signed]) -> None:
        """On disk when this returns: now they may be sent."""
        new = list(signed)
        self._write([{"kind": "signed", "at": _now(), **each.as_json()} for each in new])
        for each in new:
            track = self.tracks.setdefault(each.address, Track())
            track.signed.append(each)
            track.outcome = None

    def end(self, address: str, outcome: Outcome, **details: Any) -> None:
        self._write([{"kind": outcome.value, "at": _now(), "address": address, **details}])
        self.tracks[address].outcome = None if outcome is Outcome.REOPENED else outcome

    def _write(self, records: list[dict[str, Any]]) -> None:
        self._file.write("".join(f"{json.dumps(record)}\n" for record in records).encode())
        self._file.flush()
        os.fsync(self._file.fileno())


def _whole_lines(path: Path, file: Any) -> list[dict[str, Any]]:
    """Its records. A last line that was cut off announced nothing that was done: it goes."""
    file.seek(0)
    data: bytes = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        file.truncate(len(whole))
    try:
        return [json.loads(line) for line in whole.splitlines()]
    except ValueError:
        raise BadJournal(f"the journal {path} is damaged, or is another kind of file") from None


def _tracks(path: Path, records: Iterable[Mapping[str, Any]]) -> dict[str, Track]:
    tracks: dict[str, Track] = {}
    try:
        for record in records:
            track = tracks.setdefault(record["address"], Track())
            if record["kind"] == "signed":
                track.signed.append(Signed.from_json(record))
                track.outcome = None
            else:
                outcome = Outcome(record["kind"])
                track.outcome = None if outcome is Outcome.REOPENED else outcome
    except (KeyError, ValueError, TypeError):
        raise BadJournal(f"the journal {path} is damaged") from None
    return tracks


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
