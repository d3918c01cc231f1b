"""What a node can do beyond the common calls."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Abilities:
    """Each missing one has a slower way behind it."""

    by_hash: bool = False  # balances at a block named by its hash (EIP-1898)
    override: bool = False  # eth_call with a state override: all balances by one call
    traces: bool = False  # trace_block: payments by contracts are seen at the newest head
    debug_traces: bool = False  # debug_traceBlockByHash: they are explained when they have been found

    def report(self) -> dict[str, Any]:
        return asdict(self)
