"""What the indexer is told: which nodes, which chain, how deep, how often."""

from dataclasses import dataclass

from runtime.errors import LayoverError

CIRCLE_LAYER_TESTNET = 28525
LEAST_REQUESTS = 10  # a minute


class BadChainConfig(LayoverError):
    """The chain cannot be followed with these settings; the message names the variable."""


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """Times in seconds, depths in blocks. One value serves the whole wing."""

    rpc_urls: tuple[str, ...]  # in order of preference; the next one serves while one is down
    ws_url: str | None = None  # None: heads are polled
    chain_id: int = CIRCLE_LAYER_TESTNET
    confirmations: int = 3  # head − block at which a deposit counts as confirmed
    block_time: float = 3.0  # silence over three of them is looked into
    poll_interval: float = 15.0  # where there is no WebSocket
    rpc_timeout: float = 10.0
    cool_down: float = 15.0  # a node that failed is left alone that long, unless no other is left
    batch_size: int = 10  # calls in one request; Circle Layer's public nodes take no more
    requests_per_minute: int | None = None  # to each node; None: as many as are needed
    token: str | None = None  # the ERC-20 contract whose transfers are deposits; None: the native coin
    token_decimals: int = 18  # as they are configured; a token that says otherwise is refused
    connections: int = 4  # requests at once
    chunk: int = 50  # blocks read and stored together while catching up; more where the node takes larger batches
    window: int = 128  # blocks kept to find a fork; a deeper reorg halts the indexer
    sweep_slice: int = 12_500  # addresses whose balances are looked at on one block; more take turns
    dormant_every: int = 200  # blocks between two sweeps of the dormant addresses
    explorer_base_url: str | None = None

    def __post_init__(self) -> None:
        if not self.rpc_urls:
            raise BadChainConfig("no node is named: set CIRCLE_LAYER_RPC_URL")
        most = self.window - 1  # the block that is deep enough must be among those kept
        if not 0 <= self.confirmations <= most:
            raise BadChainConfig(f"CIRCLE_LAYER_MIN_CONFIRMATIONS must be between 0 and {most}")
        if self.batch_size < 1:
            raise BadChainConfig("CIRCLE_LAYER_BATCH_SIZE must be at least 1")
        if self.requests_per_minute is not None and self.requests_per_minute < LEAST_REQUESTS:
            raise BadChainConfig(f"CIRCLE_LAYER_REQUESTS_PER_MINUTE must be at least {LEAST_REQUESTS}")
        if min(self.block_time, self.poll_interval, self.rpc_timeout) <= 0:
            raise BadChainConfig("CIRCLE_LAYER_POLL_INTERVAL and CIRCLE_LAYER_RPC_TIMEOUT must be above 0 seconds")

    def explorer_url(self, tx_hash: str) -> str | None:
        """Where a person can look at the transaction; None without an explorer."""
        if self.explorer_base_url is None:
            return None
        return f"{self.explorer_base_url.rstrip('/')}/tx/{tx_hash}"

    def explorer_address(self, address: str) -> str | None:
        """The same for an address."""
        if self.explorer_base_url is None:
            return None
        return f"{self.explorer_base_url.rstrip('/')}/address/{address}"
