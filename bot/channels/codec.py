"""``Inbound`` and ``Outbound`` as JSON-able payloads, for inbox facts and outbox letters.

Every payload names its ``kind`` (the chat's lane also carries other happenings) and the version of its shape, so
that rows written before an upgrade can be read, or be refused with a clear word, after it.
"""

from typing import Any, Final, TypeVar

import msgspec

from bot.channels.model import Inbound, Outbound
from runtime.errors import LayoverError

CHAT: Final = "chat"  # the inbox topic of everything that a conversation has to know
INBOUND: Final = "inbound"
OUTBOUND: Final = "outbound"
VERSION: Final = 1

Value = TypeVar("Value", Inbound, Outbound)


class UnreadablePayload(LayoverError):
    def __init__(self, expected: str, kind: object, version: object, reason: str = "") -> None:
        super().__init__(
            f"Expected a stored {expected} of version {VERSION}, found {kind!r} of version {version!r}. "
            f"It was written by another release of Layover{': ' + reason if reason else ''}."
        )


def dump_inbound(inbound: Inbound) -> dict[str, Any]:
    return _dump(INBOUND, inbound)


def load_inbound(payload: dict[str, Any]) -> Inbound:
    """Raises ``UnreadablePayload``."""
    return _load(INBOUND, payload, Inbound)


def dump_outbound(outbound: Outbound) -> dict[str, Any]:
    return _dump(OUTBOUND, outbound)


def load_outbound(payload: dict[str, Any]) -> Outbound:
    """Raises ``UnreadablePayload``."""
    return _load(OUTBOUND, payload, Outbound)


def _dump(kind: str, value: Inbound | Outbound) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(value)
    return {"kind": kind, "v": VERSION, **fields}


def _load(kind: str, payload: dict[str, Any], shape: type[Value]) -> Value:
    found, version = payload.get("kind"), payload.get("v")
    if found != kind or version != VERSION:
        raise UnreadablePayload(kind, found, version)
    try:
        return msgspec.convert(payload, shape)
    except msgspec.ValidationError as error:
        raise UnreadablePayload(kind, found, version, str(error)) from error
