"""The audit log: every critical operation, written in the transaction that carries it out, never changed."""

from datetime import datetime
from typing import Any

from payments.tables import audit_log
from runtime.database import Transaction


async def record(
    tx: Transaction, at: datetime, actor: str, action: str, subject: str, details: dict[str, Any] | None = None
) -> None:
    """Add one line. ``actor``: a part ("evidence") or a person ("operator:ada"); ``subject``: an id.

    ``details`` hold ids, states and amounts (as text): no names, no secrets.
    """
    await tx.execute(
        audit_log.insert().values(at=at, actor=actor, action=action, subject=subject, details=details or {})
    )
