"""``layover chain status``: from the running daemon where it answers, else from the nodes; and from the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import aiohttp

from bot.chain_commands import coin_of, config_of, opened
from bot.chain_rescan import words_of
from bot.settings import Settings
from indexer import rescans, store
from indexer.config import ChainConfig
from indexer.model import ChainUnavailable
from indexer.nodes import NodePool
from indexer.rpc import Node, public_name
from indexer.store import ChainStore, no_lease
from indexer.wire import Header
from indexer.writer import Cursor
from payments.money import Coin
from runtime.clock import Clock, SystemClock
from runtime.http import client_session

_PATIENCE = aiohttp.ClientTimeout(total=3)  # seconds; /health is answered from memory


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the database says."""

    cursor: Cursor | None
    watches: Mapping[str, int]  # tier → addresses
    rescan: rescans.Rescan | None


async def status(settings: Settings) -> tuple[str, bool]:
    """What to print, and whether the chain is followed as it should. Raises NoNode, NoDatabase, SchemaBehind."""
    config, clock = config_of(settings), SystemClock()
    stored = await _stored(settings, clock)
    async with client_session() as session:
        daemon = await _health(settings, session)
        chain = None if daemon is None else daemon["parts"].get("chain")
        if chain is not None:
            nodes, head = chain["nodes"], chain["head"]
        else:
            nodes, head = await _ask_nodes(config, session, clock)
    place = _health_url(settings)
    rows = [("Chain", f"{settings.circle_layer_network_name}, id {settings.circle_layer_chain_id}")]
    if chain is not None:
        rows.append(("Daemon", f"runs, and answers at {place}"))
    elif daemon is not None:
        rows.append(("Daemon", f"runs without a chain ({place}): it was started with other settings"))
    else:
        rows.append(("Daemon", f"does not answer at {place}; what follows is from the database and the nodes"))
    rows += _position(stored, head, clock.now())
    rows += _of_daemon(chain or {})
    rows.append(("Addresses", _addresses(stored, chain or {})))
    for node in nodes:
        rows.append(("Node", _node(node)))
        rows += [("", str(sentence)) for sentence in node.get("limits", ())]
    rows += [("Rescan", _rescan(stored.rescan, coin_of(settings)))] if stored.rescan is not None else []
    is_well = chain is not None and chain["state"] == "running"
    return "\n".join(f"{name:<11}{words}" for name, words in rows), is_well


async def _stored(settings: Settings, clock: Clock) -> _Stored:
    async with opened(settings) as database:
        cursor = await ChainStore(database, clock, 0, no_lease, lambda: None).cursor()
        async with database.snapshot() as connection:
            return _Stored(cursor, await store.count_watches(connection), await rescans.newest(connection))


def _health_url(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/health"


async def _health(settings: Settings, session: aiohttp.ClientSession) -> dict[str, Any] | None:
    """What the daemon says of itself; None where nothing answers, or something else does."""
    try:
        async with session.get(_health_url(settings), timeout=_PATIENCE) as response:
            said: Any = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None
    return said if isinstance(said, dict) and isinstance(said.get("parts"), dict) else None


async def _ask_nodes(
    config: ChainConfig, session: aiohttp.ClientSession, clock: Clock
) -> tuple[list[Mapping[str, Any]], int | None]:
    """Each node's report, and the head of the first that answers."""
    reports: list[Mapping[str, Any]] = []
    head: int | None = None
    for url in config.rpc_urls:
        pool = NodePool(replace(config, rpc_urls=(url,)), session, clock)
        try:
            number = await pool.use(_head)
        except ChainUnavailable as error:
            reports.append({"node": public_name(url), "error": str(error)})
            continue
        head = number if head is None else head
        reports += pool.report()
    return reports, head


async def _head(node: Node) -> int:
    return (await node.call("eth_getBlockByNumber", ["latest", False], Header)).height


def _position(stored: _Stored, head: int | None, now: datetime) -> list[tuple[str, str]]:
    rows = [("Head", "unknown: no node answers" if head is None else f"{head:,}")]
    cursor = stored.cursor
    if cursor is None:
        return [*rows, ("Cursor", "none: the daemon has not begun to index on this database")]
    behind = "" if head is None else f", {max(0, head - cursor.tip.number):,} behind"
    age = max(0, int((now - cursor.mined_at).total_seconds()))
    rows.append(("Cursor", f"{cursor.tip.number:,}{behind}; mined {age:,} s ago"))
    rows.append(("Verified", f"{cursor.verified:,}: up to there the balances of open addresses were checked"))
    return rows


def _of_daemon(chain: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What only the process that indexes knows."""
    rows = []
    if "lag_seconds" in chain:
        lag = chain["lag_seconds"]
        heads = {"websocket": "announced by WebSocket", "polling": "polled"}.get(chain["heads"], chain["heads"])
        rows.append(("Lag", "not level since its start" if lag is None else f"{lag:.1f} s; new heads are {heads}"))
    if chain.get("halted"):
        rows.append(("Halted", str(chain["halted"])))
    elif chain.get("error"):
        rows.append(("Trouble", f"{chain['error']}: see the daemon's log"))
    return rows


def _addresses(stored: _Stored, chain: Mapping[str, Any]) -> str:
    words = f"{stored.watches.get('open', 0):,} open, {stored.watches.get('dormant', 0):,} dormant"
    short = chain.get("short_addresses")
    return f"{words}; {short:,} hold less than their deposits say, see the daemon's log" if short else words


def _node(report: Mapping[str, Any]) -> str:
    if "error" in report:
        return str(report["error"])
    parts = [f"{report['node']}{' (rests after a failure)' if report.get('resting') else ''}"]
    parts += [words for name, value in report["abilities"].items() if (words := _ability(name, value))]
    spending = _spending(report)
    if spending is not None:
        most = spending["a_minute"]
        of = "no limit is set" if most is None else f"{most:,} allowed"
        parts.append(f"{spending['requests_last_minute']:,} requests in the last minute ({of})")
    return ", ".join(parts)


def _ability(name: str, value: object) -> str | None:
    if isinstance(value, bool):
        return name if value else f"no {name}"
    return None if value in (None, 0, "") else f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"


def _spending(report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The part of a node's report that says what it was asked."""
    parts: Sequence[Any] = list(report.values())
    return next((part for part in parts if isinstance(part, dict) and "requests_last_minute" in part), None)


def _rescan(rescan: rescans.Rescan, coin: Coin) -> str:
    if rescan.report is None:
        reached = "waits for its turn" if rescan.reached is None else f"has come to {rescan.reached:,}"
        return f"from block {rescan.first:,} {reached}"
    return words_of(rescan.report, coin)
