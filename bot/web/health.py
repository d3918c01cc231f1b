"""What GET /health tells: each part's state, and which variables are set, never their values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runtime import services


@dataclass(frozen=True, slots=True)
class PartHealth:
    """One part of the process. Everything here is public: no addresses, no messages that may hold them."""

    name: str
    state: str  # starting, running, failing, stopped
    since: datetime
    restarts: int = 0
    error: str | None = None  # the class of the last failure
    details: Mapping[str, Any] | None = None  # what else there is to know of this part

    @classmethod
    def of_service(cls, health: services.Health) -> "PartHealth":
        error = health.last_error.partition(":")[0] if health.last_error else None
        return cls(health.name, health.state, health.since, health.restarts, error)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """``is_ready``: every part that is needed runs. ``variables``: the names that are set."""

    is_ready: bool
    parts: Sequence[PartHealth]
    variables: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "status": "ready" if self.is_ready else "not ready",
            "parts": {
                part.name: {
                    "state": part.state,
                    "since": part.since.isoformat(timespec="seconds"),
                    "restarts": part.restarts,
                    "error": part.error,
                    **(part.details or {}),
                }
                for part in self.parts
            },
            "configured": sorted(self.variables),
        }


HealthProbe = Callable[[], HealthReport]
