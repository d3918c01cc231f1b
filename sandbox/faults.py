"""Tells a fake to fail as the real thing does: slow, refusing, broken, or gone in the middle of an answer."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import cast

from aiohttp import web


class FaultKind(StrEnum):
    DELAY = "delay"  # answer late, then go on
    TOO_MANY_REQUESTS = "too_many_requests"  # 429 in the service's own words, nothing done
    SERVER_ERROR = "server_error"  # 500 in the service's own words, nothing done
    BAD_GATEWAY = "bad_gateway"  # 502 with an HTML page, as a proxy gives; nothing done
    DROP = "drop"  # the connection ends before the answer; nothing done
    LOSE_ANSWER = "lose_answer"  # the work is done, then the connection ends


class InvalidFault(Exception):
    """The description of a fault does not make sense."""


@dataclass(frozen=True, slots=True)
class Fault:
    """``operation``: a method's name (``sendMessage``, ``POST Messages``), in any case; None: all of them.

    ``times``: so often, then it is used up; None: until cleared. ``after``: let so many calls pass first.
    ``probability`` of each call being struck, drawn from ``seed``: the same calls are struck in every run.
    ``delay`` in seconds, for DELAY. ``retry_after`` in seconds, for TOO_MANY_REQUESTS.
    """

    kind: FaultKind
    operation: str | None = None
    times: int | None = 1
    after: int = 0
    probability: float = 1.0
    seed: int = 0
    delay: float = 0.0
    retry_after: int = 1

    def __post_init__(self) -> None:
        if self.kind is FaultKind.DELAY and self.delay <= 0:
            raise InvalidFault("a delay needs delay > 0 (seconds)")
        if not 0 < self.probability <= 1:
            raise InvalidFault("probability must be above 0 and at most 1")


@dataclass(slots=True)
class _Armed:
    id: int
    fault: Fault
    dice: random.Random
    passed: int = 0
    struck: int = 0

    def strikes(self, operation: str) -> bool:
        fault = self.fault
        if fault.operation is not None and fault.operation.lower() != operation.lower():
            return False
        if fault.times is not None and self.struck >= fault.times:
            return False
        self.passed += 1
        if self.passed <= fault.after or (fault.probability < 1 and self.dice.random() >= fault.probability):
            return False
        self.struck += 1
        return True


@dataclass(frozen=True, slots=True)
class Struck:
    """A call that was made to fail."""

    operation: str
    kind: FaultKind


Work = Callable[[], Awaitable[web.StreamResponse]]
Refusal = Callable[[int, int], web.StreamResponse]
"""Makes the service's own error answer from a status (429 or 500) and the seconds to wait."""


@dataclass(slots=True)
class Faults:
    """The faults one server is armed with. ``struck`` is the log of what they did."""

    struck: list[Struck] = field(default_factory=list)
    _armed: list[_Armed] = field(default_factory=list)
    _ids: "count[int]" = field(default_factory=lambda: count(1))

    def add(self, fault: Fault) -> int:
        """Arms a fault and returns its id."""
        armed = _Armed(next(self._ids), fault, random.Random(fault.seed))
        self._armed.append(armed)
        return armed.id

    def remove(self, fault_id: int) -> None:
        self._armed = [armed for armed in self._armed if armed.id != fault_id]

    def clear(self) -> None:
        self._armed.clear()

    async def around(self, request: web.Request, operation: str, work: Work, refuse: Refusal) -> web.StreamResponse:
        """Does ``work`` for this request unless a fault says otherwise. Delays add up; of the rest the first wins."""
        for fault in self._strike(operation):
            match fault.kind:
                case FaultKind.DELAY:
                    await asyncio.sleep(fault.delay)
                case FaultKind.TOO_MANY_REQUESTS:
                    return refuse(429, fault.retry_after)
                case FaultKind.SERVER_ERROR:
                    return refuse(500, 0)
                case FaultKind.BAD_GATEWAY:
                    page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
                    return web.Response(status=502, text=page, content_type="text/html")
                case FaultKind.DROP:
                    return _hang_up(request)
                case FaultKind.LOSE_ANSWER:
                    await work()
                    return _hang_up(request)
        return await work()

    def _strike(self, operation: str) -> list[Fault]:
        faults: list[Fault] = []
        for armed in self._armed:
            if armed.strikes(operation):
                faults.append(armed.fault)
                self.struck.append(Struck(operation, armed.fault.kind))
                if armed.fault.kind is not FaultKind.DELAY:
                    break
        return faults

    def describe(self) -> list[dict[str, object]]:
        """The armed faults, for the HTTP control."""
        return [
            {"id": armed.id, "operation": armed.fault.operation, "kind": armed.fault.kind, "struck": armed.struck}
            for armed in self._armed
        ]


def fault_from_json(fields: Mapping[str, object]) -> Fault:
    """A fault from the fields of ``Fault`` by name. Raises ``InvalidFault``."""
    unknown = set(fields) - set(Fault.__slots__)
    if unknown:
        raise InvalidFault(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(Fault.__slots__)}")
    for name in set(fields) - {"kind", "operation"}:
        if not isinstance(fields[name], int | float) and not (name == "times" and fields[name] is None):
            raise InvalidFault(f"{name} must be a number")
    try:
        kind = FaultKind(cast(str, fields["kind"]))
        return Fault(kind, **{name: value for name, value in fields.items() if name != "kind"})  # type: ignore[arg-type]
    except (KeyError, ValueError) as error:
        raise InvalidFault(f"kind must be one of {', '.join(FaultKind)}") from error


def _hang_up(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # goes nowhere
