"""What a sweep would do, worked out from the database, the journal and the chain. Signs nothing, sends nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot import booking_store
from payments import store
from payments.money import Coin
from runtime.database import Database
from scripts.sweeping.candidates import Candidate, LeftAlone, Why, sort_out
from scripts.sweeping.chain import SweepChain, Transfer
from scripts.sweeping.journal import Journal, Outcome


@dataclass(frozen=True, slots=True)
class Terms:
    """How to sweep. Prices in wei; ``at_least``: a transfer that brings less is not worth it, in coins' units."""

    treasury: str
    native: Coin
    gas_price: int
    at_least: Mapping[str, int]  # by the coin's symbol


@dataclass(slots=True)
class Plan:
    transfers: list[tuple[Candidate, Transfer]] = field(default_factory=list)
    left: list[LeftAlone] = field(default_factory=list)
    lacking_gas: dict[str, int] = field(default_factory=dict)  # address → wei it needs to be sent first
    reopened: list[str] = field(default_factory=list)  # a reorg took their sweep back: it is sent again

    @property
    def totals(self) -> dict[Coin, int]:
        """What arrives, by coin."""
        sums: dict[Coin, int] = {}
        for candidate, transfer in self.transfers:
            sums[candidate.coin] = sums.get(candidate.coin, 0) + transfer.amount
        return sums

    @property
    def fees(self) -> int:
        """Wei, at most."""
        return sum(transfer.gas * transfer.gas_price for _, transfer in self.transfers)


async def read_candidates(database: Database) -> tuple[list[Candidate], list[LeftAlone]]:
    """As the database has it now."""
    async with database.snapshot() as connection:
        found = await store.with_addresses(connection)
        bookings = await booking_store.standings(connection)
    return sort_out(found, bookings)


async def make_plan(
    candidates: Sequence[Candidate], left: Sequence[LeftAlone], journal: Journal, chain: SweepChain, terms: Terms
) -> Plan:
    """Raises ChainUnavailable."""
    plan = Plan(left=list(left))
    new = []
    for candidate in candidates:
        track = journal.tracks.get(candidate.address)
        if track is not None and track.outcome is Outcome.OVERTAKEN:
            plan.left.append(_left(candidate, Why.SPENT))
        elif track is None or track.outcome is not None:  # else it is on its way
            new.append(candidate)
    native = [candidate for candidate in new if candidate.coin.token_address is None]
    await _plan_native(plan, native, journal, chain, terms)
    for token in dict.fromkeys(candidate.coin.token_address for candidate in new):
        if token is not None:
            of_token = [candidate for candidate in new if candidate.coin.token_address == token]
            await _plan_token(plan, token, of_token, journal, chain, terms)
    return plan


async def _plan_native(
    plan: Plan, candidates: Sequence[Candidate], journal: Journal, chain: SweepChain, terms: Terms
) -> None:
    balances = await chain.settled_balances([candidate.address for candidate in candidates]) if candidates else {}
    ready = await _ready(plan, candidates, balances, journal, chain)
    if not ready:
        return
    gas = await chain.gas_to(terms.treasury, ready[0][0].address)
    for candidate, nonce in ready:
        # The fee is paid out of what was due: the rest above it is the traveller's, to the last wei.
        amount = candidate.units - gas * terms.gas_price
        if amount < max(1, terms.at_least.get(candidate.coin.symbol, 1)):
            plan.left.append(_left(candidate, Why.SMALL))
            continue
        transfer = Transfer(
            candidate.address, candidate.index, nonce, terms.treasury, None, amount, terms.gas_price, gas
        )
        plan.transfers.append((candidate, transfer))


async def _plan_token(
    plan: Plan, token: str, candidates: Sequence[Candidate], journal: Journal, chain: SweepChain, terms: Terms
) -> None:
    addresses = [candidate.address for candidate in candidates]
    ready = await _ready(plan, candidates, await chain.settled_tokens(token, addresses), journal, chain)
    coins = await chain.settled_balances(addresses) if ready else {}
    gas: int | None = None
    for candidate, nonce in ready:
        if candidate.units < terms.at_least.get(candidate.coin.symbol, 1):
            plan.left.append(_left(candidate, Why.SMALL))
            continue
        if gas is None:
            gas = await chain.gas_of_token(token, terms.treasury, candidate.address, candidate.units)
        missing = gas * terms.gas_price - coins.get(candidate.address, 0)
        if missing > 0:
            plan.lacking_gas[candidate.address] = missing
            plan.left.append(_left(candidate, Why.NO_GAS, f"needs {terms.native.text(missing)}"))
            continue
        amount = candidate.units
        transfer = Transfer(
            candidate.address, candidate.index, nonce, terms.treasury, token, amount, terms.gas_price, gas
        )
        plan.transfers.append((candidate, transfer))


async def _ready(
    plan: Plan, candidates: Sequence[Candidate], held: Mapping[str, int], journal: Journal, chain: SweepChain
) -> list[tuple[Candidate, int]]:
    """Those that hold what was due and have sent nothing that we do not know of, with the nonce to use."""
    is_full = {candidate.address: held.get(candidate.address, 0) >= candidate.units for candidate in candidates}
    in_question = [each for each in candidates if is_full[each.address] or not _is_swept(journal, each)]
    nonces = await chain.nonces([candidate.address for candidate in in_question]) if in_question else {}
    ready = []
    for candidate in in_question:
        nonce = nonces[candidate.address]
        if _is_swept(journal, candidate):
            if nonce <= journal.tracks[candidate.address].last.nonce:
                plan.reopened.append(candidate.address)
            continue  # else what lies there came later, and is the traveller's
        if nonce != _expected_nonce(journal, candidate.address):
            plan.left.append(_left(candidate, Why.SPENT))
        elif not is_full[candidate.address]:
            plan.left.append(_left(candidate, Why.SHORT))
        else:
            ready.append((candidate, nonce))
    return ready


def _is_swept(journal: Journal, candidate: Candidate) -> bool:
    track = journal.tracks.get(candidate.address)
    return track is not None and track.outcome is Outcome.CONFIRMED


def _expected_nonce(journal: Journal, address: str) -> int:
    """The nonce that the next sweep of the address uses, if nobody else sent anything from it."""
    track = journal.tracks.get(address)
    if track is None:
        return 0
    return track.last.nonce + 1 if track.outcome is Outcome.FAILED else track.last.nonce


def dearer(transfer: Transfer, gas_price: int) -> Transfer:
    """The same with another price. The fee comes out of a native amount."""
    amount = transfer.amount
    if transfer.token is None:
        amount += transfer.gas * (transfer.gas_price - gas_price)
    return replace(transfer, gas_price=gas_price, amount=amount)


def _left(candidate: Candidate, why: Why, detail: str = "") -> LeftAlone:
    return LeftAlone(candidate.address, candidate.payment_id, why, detail)
