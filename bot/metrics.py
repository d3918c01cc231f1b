"""What the business does, for Prometheus: payments, bookings, and how far the chain has been read."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from indexer.indexer import Indexer


class BusinessMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.payments = Counter(
            "layover_payments", "Changes of payments, by method and the state reached", ["method", "state"],
            registry=registry,
        )  # fmt: skip
        self.bookings = Counter(
            "layover_bookings", "Paid bookings that were ticketed, or refused by the airline", ["outcome"],
            registry=registry,
        )  # fmt: skip


def watch_chain(registry: CollectorRegistry, indexer: Indexer) -> None:
    """Gauges that are read from the indexer whenever somebody asks."""

    def gauge(name: str, words: str) -> Gauge:
        return Gauge(f"layover_chain_{name}", words, registry=registry)

    gauge("head", "The node's newest block").set_function(lambda: indexer.health().head or 0)
    gauge("cursor", "The newest block that was read whole").set_function(lambda: indexer.health().cursor or 0)
    gauge("halted", "1 while the indexer does nothing because the chain is not what it was").set_function(
        lambda: indexer.health().halted is not None
    )
    gauge("open_addresses", "Addresses somebody is about to pay to").set_function(
        lambda: indexer.health().open_addresses
    )
    gauge("short_addresses", "Addresses that hold less than their deposits say: look into it").set_function(
        lambda: indexer.health().short_addresses
    )
