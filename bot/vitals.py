"""How the process does, for GET /health: each part's state as its supervisor sees it, and the chain's own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from bot.web.health import HealthReport, PartHealth
from indexer.indexer import Indexer
from runtime.clock import Clock
from runtime.services import Service, State, Supervisor


@runtime_checkable
class Reporting(Protocol):
    """A service that may run and yet not reach what it serves. ``details`` are public, as all of /health is."""

    @property
    def is_well(self) -> bool: ...

    def details(self) -> Mapping[str, Any]: ...


class Vitals:
    """Is asked by the web edge, so it is made before the supervisor that it asks."""

    def __init__(self, clock: Clock, indexer: Indexer | None, variables: Sequence[str]) -> None:
        self._clock = clock
        self._indexer = indexer
        self._variables = variables
        self._supervisor: Supervisor | None = None
        self._reporting: dict[str, Reporting] = {}

    def watch(self, supervisor: Supervisor, services: Sequence[Service]) -> None:
        self._supervisor = supervisor
        self._reporting = {service.name: service for service in services if isinstance(service, Reporting)}

    def report(self) -> HealthReport:
        """Ready when every part runs; a chain that is halted or cannot be reached shows, and is not ready either."""
        if self._supervisor is None:
            return HealthReport(False, [], self._variables)
        parts = [self._with_details(PartHealth.of_service(health)) for health in self._supervisor.health()]
        is_ready = all(part.state == State.RUNNING for part in parts)
        if self._indexer is not None:
            chain = self._indexer.health()
            state = State.RUNNING if chain.is_healthy else State.FAILING
            error = "halted" if chain.halted else ("unavailable" if chain.error else None)
            details = {
                "head": chain.head,
                "cursor": chain.cursor,
                "verified": chain.verified,
                "rescan": chain.rescan,
                "lag_seconds": chain.lag_seconds,
                "heads": chain.heads,
                "halted": chain.halted,
                "open_addresses": chain.open_addresses,
                "dormant_addresses": chain.dormant_addresses,
                "short_addresses": chain.short_addresses,
                "nodes": list(chain.nodes),
            }
            parts.append(PartHealth("chain", state, self._clock.now(), error=error, details=details))
            is_ready = is_ready and chain.is_healthy
        return HealthReport(is_ready, parts, self._variables)

    def _with_details(self, part: PartHealth) -> PartHealth:
        service = self._reporting.get(part.name)
        if service is None:
            return part
        fails = part.state == State.RUNNING and not service.is_well
        return replace(part, state=State.FAILING if fails else part.state, details=service.details())
