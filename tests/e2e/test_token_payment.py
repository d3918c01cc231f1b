"""Paying with an ERC-20 token instead of the native coin, through the whole daemon."""

from pathlib import Path

import aiohttp

from payments.payment import State
from sandbox import contracts
from scripts.ticket_check import missing_words
from tests.e2e import travel
from tests.e2e.stage import Stage, until
from tests.e2e.travel import ONE, book, hear, state_of


async def test_a_trip_is_paid_with_a_token(tmp_path: Path) -> None:
    """The native coin at the same address pays nothing; a part and the rest of the token pay the trip."""
    async with Stage.open(tmp_path, block_time=None) as stage:
        token = await contracts.deploy_token(stage.anvil, decimals=18, supply=10**24)
        stage.variables |= {"CIRCLE_LAYER_TOKEN_ADDRESS": token}
        await stage.start_daemon()
        traveller = stage.world.whatsapp_user("Zoë")
        due = await book(traveller)
        await contracts.receipt(stage.anvil, await stage.anvil.send(due.address, ONE))
        await stage.anvil.mine(5)
        part = await contracts.pay_token(stage.anvil, token, due.address, ONE // 4)
        await contracts.receipt(stage.anvil, part)
        await stage.anvil.mine(4)
        told = await hear(traveller, "I received 0.25 of 1.00 CLAYER")
        assert "send the remaining 0.75 CLAYER" in told

        async def underpaid() -> bool:
            return await state_of(stage, due) is State.UNDERPAID

        await until(underpaid, within=travel.WITHIN, what="a part is paid")
        rest = await contracts.pay_token(stage.anvil, token, due.address, ONE - ONE // 4)
        await contracts.receipt(stage.anvil, rest)
        await stage.anvil.mine(4)
        paper = (await travel.ticket(traveller)).file
        assert paper is not None
        assert not missing_words(paper.content, ["Zoë", "Šimić", rest])
        async with aiohttp.ClientSession() as http, http.get(f"{stage.variables['BASE_URL']}/metrics") as answer:
            assert 'layover_chain_requests_total{node="http://127.0.0.1:' in await answer.text()
        _, parts = await travel.health(stage)
        assert parts["chain"]["nodes"][0]["budget"]["requests"] > 0  # type: ignore[index]
