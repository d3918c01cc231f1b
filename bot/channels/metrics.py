"""What is counted on the channels. One ``ChannelMetrics`` per registry, passed to pollers, webhooks and senders."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class ChannelMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.received = Counter(
            "layover_channel_messages_received",
            "Messages and button presses stored, by channel. Repeats are not counted.",
            ["channel"],
            registry=registry,
        )
        self.refused = Counter(
            "layover_channel_requests_refused",
            "Requests and updates that were not taken, by channel and reason.",
            ["channel", "reason"],
            registry=registry,
        )
        self.sent = Counter(
            "layover_channel_messages_sent",
            "Messages handed to the channel's provider.",
            ["channel"],
            registry=registry,
        )
        self.failed = Counter(
            "layover_channel_failures",
            "Calls to the channel's provider that failed, by reason.",
            ["channel", "reason"],
            registry=registry,
        )
        self.alerts = Counter(
            "layover_channel_alerts",
            "What an operator has to look at: the log has an event of the same name.",
            ["channel", "alert"],
            registry=registry,
        )
        self.last_poll = Gauge(
            "layover_channel_last_poll_timestamp_seconds",
            "When updates were last fetched, in seconds since 1970.",
            ["channel"],
            registry=registry,
        )
