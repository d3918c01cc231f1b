"""What a node can do beyond the common calls, as it was found by asking it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Sweep(StrEnum):
    """How the balances of many addresses are read: the rungs of a ladder, the best first."""

    OVERRIDE = "override"  # eth_call of code that is put in by a state override: thousands a call
    CREATION = "creation"  # eth_call of contract-creation code: 1,500 a call
    BATCHES = "batches"  # one by one


@dataclass(frozen=True, slots=True)
class Abilities:
    """Each missing one has a slower way behind it."""

    by_hash: bool = False  # balances at a block named by its hash (EIP-1898)
    sweep: Sweep = Sweep.BATCHES
    gas: int = 0  # what eth_call may spend; 0: it is not known
    traces: bool = False  # trace_block: payments by contracts are seen at the newest head
    debug_traces: bool = False  # debug_traceBlockByHash: they are explained when they have been found
    history: int | None = 0  # blocks below the head at which balances were still known; None: all of them

    @property
    def override(self) -> bool:
        return self.sweep is Sweep.OVERRIDE

    def report(self) -> dict[str, Any]:
        return {
            "by_hash": self.by_hash,
            "sweep": self.sweep.value,
            "gas": self.gas,
            "traces": self.traces,
            "debug_traces": self.debug_traces,
            "history": self.history,
        }

    def limits(self, confirmations: int, window: int) -> list[str]:
        """Where less is known, or later, than from a node that can do everything; sentences for people."""
        found = []
        if not self.traces:
            found.append(f"Payments by contracts are seen {confirmations} blocks after the newest, not at once.")
        if not self.traces and not self.debug_traces:
            found.append("Payments by contracts are known by their block, without their transaction.")
        if self.sweep is Sweep.BATCHES:
            found.append("Balances are read one by one: a payment by a contract may be found late.")
        if self.history is not None and self.history < window:
            found.append(
                f"Balances are known for {self.history} blocks back only. After a longer absence, what contracts paid "
                "meanwhile is found all the same, but stands in the oldest block that the node still knows."
            )
        return found
