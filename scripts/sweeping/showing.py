"""The plan, for the operator to read before anything is sent."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from scripts.sweeping.candidates import Why
from scripts.sweeping.journal import Journal, Outcome
from scripts.sweeping.planning import Plan, Terms

Say = Callable[[str], None]

GWEI = 10**9
SHOWN = 20  # addresses listed one by one
_USUAL = {Why.UNFINISHED, Why.NOT_TICKETED, Why.SMALL, Why.REFUSED, Why.TWICE, Why.ENDED}  # only counted


def show(plan: Plan, journal: Journal, terms: Terms, chain_id: int, *, in_full: bool, say: Say) -> None:
    """Every address or the first ones, the totals, and what is left alone."""
    say(f"Sweep to {terms.treasury} on chain {chain_id}; journal {journal.path}")
    if swept := sum(track.outcome is Outcome.CONFIRMED for track in journal.tracks.values()):
        say(f"{swept} addresses were swept before.")
    if journal.open_tracks:
        say(f"{len(journal.open_tracks)} transfers of an earlier run are not confirmed yet: they come first.")
    if plan.reopened:
        say(f"{len(plan.reopened)} transfers were taken back by a reorg: they are sent again.")
    shown = plan.transfers if in_full else plan.transfers[:SHOWN]
    for candidate, transfer in shown:
        before, after = (candidate.coin.text(units) for units in (candidate.units, transfer.amount))
        say(f"  {candidate.address}  index {candidate.index}  {before} → {after}")
    if len(shown) < len(plan.transfers):
        say(f"  … and {len(plan.transfers) - len(shown)} more (--list shows all)")
    price = f"{Decimal(terms.gas_price) / GWEI:f}".rstrip("0").rstrip(".")
    gas = sum(transfer.gas for _, transfer in plan.transfers)
    if plan.transfers:
        say(f"Addresses to sweep: {len(plan.transfers)}")
        say(f"Fees, at most:      {terms.native.text(plan.fees)} ({gas:,} gas at {price} gwei)")
        for coin, units in plan.totals.items():
            say(f"The treasury gets:  {coin.text(units)}")
    _show_left(plan, in_full, terms, say)


def _show_left(plan: Plan, in_full: bool, terms: Terms, say: Say) -> None:
    for why, count in Counter(each.why for each in plan.left).items():
        say(f"Left alone: {count:4}  {why}")
        if in_full or why not in _USUAL:
            for each in [each for each in plan.left if each.why is why][: None if in_full else SHOWN]:
                say(f"  {each.address}  payment {each.payment_id}{f'  {each.detail}' if each.detail else ''}")
    if plan.lacking_gas:
        needed = terms.native.text(sum(plan.lacking_gas.values()))
        say(
            f"A token can only be moved by an address that holds {terms.native.symbol} for the fee. Send the amounts "
            f"above to those {len(plan.lacking_gas)} addresses ({needed} in all) and run this again."
        )
