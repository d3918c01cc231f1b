"""What the business does, for Prometheus: payments, bookings, and how far the chain has been read."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

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


class NodeSpending(Collector):
    """Requests to each node and the calls in them: a batch is one request that holds several calls."""

    def __init__(self, indexer: Indexer) -> None:
        self._indexer = indexer

    def describe(self) -> Iterator[Metric]:
        yield from self._families()

    def collect(self) -> Iterator[Metric]:
        requests, calls, waited = self._families()
        for name, spent in self._indexer.nodes.spending():
            requests.add_metric([name], spent.requests)
            calls.add_metric([name], spent.calls)
            waited.add_metric([name], spent.waited_seconds)
        yield from (requests, calls, waited)

    def _families(self) -> tuple[CounterMetricFamily, ...]:
        return tuple(
            CounterMetricFamily(f"layover_chain_{name}", words, labels=["node"])
            for name, words in (
                ("requests", "Requests to the node; a batch counts as one"),
                ("calls", "Calls in those requests"),
                ("budget_wait_seconds", "Waited for a request to be allowed by CIRCLE_LAYER_REQUESTS_PER_MINUTE"),
            )
        )


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
    gauge("verified", "Up to there the balances of all open addresses were checked").set_function(
        lambda: indexer.health().verified or 0
    )
    registry.register(NodeSpending(indexer))
