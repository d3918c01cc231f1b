"""What is counted and measured, in a registry that is passed in."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The ground floor's own figures. Other floors add theirs to the same ``registry``, in a class of their own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.facts = Counter(
            "layover_facts",
            "Facts handled, failed (to be tried again) and dead",
            ["topic", "outcome"],
            registry=registry,
        )
        self.fact_seconds = Histogram(
            "layover_fact_seconds", "From a fact's arrival to its being handled", ["topic"], buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self.letters = Counter(
            "layover_letters", "Letters sent, failed (to be tried again), postponed and dead", ["channel", "outcome"],
            registry=registry,
        )  # fmt: skip
        self.deliver_seconds = Histogram(
            "layover_deliver_seconds", "One delivery, as the provider takes it", ["channel"], buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self.service_failures = Counter(
            "layover_service_failures", "Failures of a part of the process", ["service"], registry=registry
        )
        self.service_running = Gauge(
            "layover_service_running", "1 while the part runs well, else 0", ["service"], registry=registry
        )

    def render(self) -> bytes:
        """The page for Prometheus, of ``content_type``."""
        return generate_latest(self.registry)
