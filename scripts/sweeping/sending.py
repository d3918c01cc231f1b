"""Carries a plan out: signs, writes down, sends, and watches until every transfer is deep enough in the chain.

What is on its way is in the journal; what is not in the journal was not sent. So it may end anywhere and be run again.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from indexer.model import ChainUnavailable
from indexer.nodes import WrongChain
from indexer.wire import Receipt, quantity
from payments.money import Coin
from runtime.database import Database
from runtime.errors import LayoverError
from scripts.sweeping.candidates import Candidate
from scripts.sweeping.chain import Signer, SweepChain, Transfer
from scripts.sweeping.journal import Journal, Outcome, Signed, Track
from scripts.sweeping.planning import Plan, Terms, dearer, read_candidates

Say = Callable[[str], None]

RESEND_AFTER = 30.0  # seconds in which nothing was mined: nodes forget what waits


class NotSwept(LayoverError):
    """Not all could be done. What is on its way is in the journal: run it again and it goes on."""


@dataclass(frozen=True, slots=True)
class Pace:
    """``at_once``: transfers that may wait for a block together. Times in seconds."""

    at_once: int
    poll: float
    patience: float  # without any progress


@dataclass(slots=True)
class Result:
    """What a run came to. ``arrived`` by token (None: the native coin), in units; ``fees`` in wei."""

    swept: int = 0
    arrived: dict[str | None, int] = field(default_factory=dict)
    fees: int = 0
    failed: list[str] = field(default_factory=list)  # sentences


class Sweeper:
    def __init__(
        self,
        database: Database,
        chain: SweepChain,
        signer: Signer,
        journal: Journal,
        terms: Terms,
        *,
        confirmations: int,
        pace: Pace,
        say: Say,
    ) -> None:
        self._database = database
        self._chain = chain
        self._signer = signer
        self._journal = journal
        self._terms = terms
        self._confirmations = confirmations
        self._pace = pace
        self._say = say
        self._waiting: dict[str, Track] = {}  # by address: signed, not confirmed yet
        self._mined: set[str] = set()  # of those, the addresses whose transfer is in a block
        self._doubtful: dict[str, str] = {}  # address → why the node refused it
        self._total = 0
        self.result = Result()

    async def resume(self) -> None:
        """Take up what an earlier run left on its way. At a higher price than it was signed for, it is signed anew."""
        tracks = {track.last.address: track for track in self._journal.open_tracks}
        if not tracks:
            return
        nonces = await self._chain.nonces(list(tracks))
        receipts = await self._chain.receipts([each.hash for track in tracks.values() for each in track.rivals])
        again: list[Signed] = []
        for address, track in tracks.items():
            is_mined = any(each.hash in receipts for each in track.rivals)
            if not is_mined and nonces[address] > track.last.nonce:
                self._end_badly(track, Outcome.OVERTAKEN, "its nonce was used by a transaction that is not ours")
                continue
            if track.outcome is Outcome.DROPPED and not is_mined:
                continue  # it is planned anew, with the same nonce
            self._waiting[address] = track
            if not is_mined:
                again.append(self._renewed(track))
        await self._give(again)

    async def reopen(self, addresses: Sequence[str]) -> None:
        """A reorg took their sweeps back, after they had been confirmed: the same transactions are sent again."""
        for address in addresses:
            self._journal.end(address, Outcome.REOPENED)
            self._waiting[address] = self._journal.tracks[address]
        await self._give([self._journal.tracks[address].last for address in addresses])

    async def carry_out(self, plan: Plan) -> Result:
        """Raises NotSwept when nothing moves any more, or the node takes nothing."""
        queue = list(plan.transfers)
        self._total = len(queue) + len(self._waiting)
        clock = asyncio.get_running_loop()
        moved_at = sent_at = clock.time()
        shown = ""
        while queue or self._waiting:
            try:
                if queue and len(self._waiting) - len(self._mined) < self._pace.at_once:
                    group, queue = queue[: self._pace.at_once], queue[self._pace.at_once :]
                    await self._begin(group)
                    sent_at = clock.time()
                await self._look()
                if clock.time() - max(sent_at, moved_at) > RESEND_AFTER:
                    sent_at = clock.time()
                    await self._give([t.last for address, t in self._waiting.items() if address not in self._mined])
            except WrongChain:
                raise
            except ChainUnavailable as error:
                self._say(f"  {error}; trying again")
            line = f"  {self.result.swept + len(self._mined)} of {self._total} mined, {self.result.swept} confirmed"
            if line != shown:
                self._say(line)
                shown, moved_at = line, clock.time()
            if clock.time() - moved_at > self._pace.patience:
                raise NotSwept(self._stuck())
            if queue or self._waiting:
                await asyncio.sleep(self._pace.poll)
        return self.result

    async def _begin(self, group: Sequence[tuple[Candidate, Transfer]]) -> None:
        """Sign, write down, send: those whose payments are still what they were when the plan was made."""
        now, _ = await read_candidates(self._database)
        wanted = {(each.address, each.units) for each in now}
        signed = []
        for candidate, transfer in group:
            if (candidate.address, candidate.units) in wanted:
                signed.append(self._signer.sign(transfer))
            else:
                self._total -= 1
                self._say(f"  {candidate.address} is left alone: payment {candidate.payment_id} changed meanwhile")
        if not signed:
            return
        self._journal.sign(signed)
        for each in signed:
            self._waiting[each.address] = self._journal.tracks[each.address]
        await self._give(signed)

    async def _give(self, signed: Sequence[Signed]) -> None:
        if not signed:
            return
        refused = await self._chain.send(signed)
        for each in signed:
            if each.hash in refused:
                self._doubtful[each.address] = refused[each.hash]

    def _renewed(self, track: Track) -> Signed:
        """The last one, or one in its place (same nonce) at a price that nodes accept as a replacement: 1/8 more."""
        last = track.last
        if self._terms.gas_price < last.gas_price * 9 // 8:
            return last
        transfer = Transfer(
            last.address,
            last.index,
            last.nonce,
            last.recipient,
            last.token,
            last.amount,
            last.gas_price,
            last.fee // last.gas_price,
        )
        signed = self._signer.sign(dearer(transfer, self._terms.gas_price))
        self._journal.sign([signed])
        return signed

    async def _look(self) -> None:
        """What the chain has of those on their way."""
        hashes = {each.hash: address for address, track in self._waiting.items() for each in track.rivals}
        if not hashes:
            return
        found = {hashes[receipt.transaction_hash]: receipt for receipt in await self._receipts(hashes)}
        head = await self._chain.head() if found else 0
        for address, receipt in found.items():
            self._doubtful.pop(address, None)
            self._note(self._waiting[address], receipt, head - quantity(receipt.block_number))
        self._mined = set(found) & set(self._waiting)
        if self._doubtful:
            await self._judge_refused()

    async def _receipts(self, hashes: Sequence[str] | dict[str, str]) -> list[Receipt]:
        return list((await self._chain.receipts(list(hashes))).values())

    def _note(self, track: Track, receipt: Receipt, depth: int) -> None:
        signed = next(each for each in track.rivals if each.hash == receipt.transaction_hash)
        if depth < self._confirmations:
            return
        details = {"hash": signed.hash, "block": quantity(receipt.block_number), "fee": str(receipt.fee)}
        self.result.fees += receipt.fee
        if not receipt.succeeded:
            self._end_badly(track, Outcome.FAILED, f"{signed.hash} was reverted; the fee is gone, the money is there")
            return
        self._journal.end(signed.address, Outcome.CONFIRMED, **details)
        self.result.swept += 1
        self.result.arrived[signed.token] = self.result.arrived.get(signed.token, 0) + signed.amount
        del self._waiting[signed.address]

    async def _judge_refused(self) -> None:
        """Those that the node refused and the chain does not have: overtaken, or to be planned anew."""
        doubtful, self._doubtful = self._doubtful, {}
        nonces = await self._chain.nonces(list(doubtful))
        for address, why in doubtful.items():
            track = self._waiting[address]
            is_used = nonces[address] > track.last.nonce
            self._end_badly(track, Outcome.OVERTAKEN if is_used else Outcome.DROPPED, f"the node refused it: {why}")
        if not self._waiting:
            raise NotSwept(f"the node takes none of them: {why}. Nothing is on its way; nothing was lost")

    def _end_badly(self, track: Track, outcome: Outcome, why: str) -> None:
        address = track.last.address
        self._journal.end(address, outcome, why=why)
        self._waiting.pop(address, None)
        self.result.failed.append(f"{address}: {why}")

    def _stuck(self) -> str:
        unmined = len(self._waiting) - len(self._mined)
        return (
            f"nothing has moved for {self._pace.patience:g} s; {unmined} are sent and in no block yet. They are in the "
            f"journal {self._journal.path}: run it again to go on, with a higher --gas-price if the chain is busy"
        )


def arrived_text(result: Result, coins: dict[str | None, Coin]) -> str:
    return " and ".join(coins[token].text(units) for token, units in result.arrived.items()) or "nothing"
