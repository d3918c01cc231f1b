"""Whatever the chain shows in whatever order, a payment's states follow the table and its sums are the chain's."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from indexer.model import BlockRef, Deposit
from payments.methods.clayer_weighing import weigh
from payments.money import Coin, Money
from payments.payment import Method, Payment, Quote, State, check_transition
from tests.payments.conftest import NOON

DUE = 100


def deposit(number: int, amount: int, confirmations: int) -> Deposit:
    block = BlockRef(number, f"0x{number:x}")
    return Deposit(
        number, "0xA", amount, block, f"0x{number}", None, confirmations, confirmations >= 3, NOON, NOON
    )  # fmt: skip


chains = st.lists(
    st.lists(st.tuples(st.sampled_from([1, 40, 60, 99, 100, 200]), st.integers(0, 4)), max_size=4), max_size=12
)


@given(chain=chains, start=st.sampled_from([State.PENDING, State.EXPIRED, State.CANCELLED, State.FAILED]))
def test_any_history_of_deposits_and_reorgs_moves_only_as_the_table_allows(
    chain: list[list[tuple[int, int]]], start: State
) -> None:
    quote = Quote(Money(100, "USD"), Coin("X", 0), DUE, "test", NOON)
    payment = Payment("pay", "bkg", "telegram:1", Method.CLAYER, start, quote, NOON, NOON, NOON, 1, address="0xA")
    for shown in chain:
        deposits = [deposit(number, amount, depth) for number, (amount, depth) in enumerate(shown)]
        finding = weigh(payment, deposits)
        check_transition(payment, finding.state)

        amounts = finding.amounts
        assert amounts.received == sum(each.amount for each in deposits)
        assert amounts.confirmed == sum(each.amount for each in deposits if each.confirmed)
        after = replace(
            payment,
            state=finding.state,
            received=amounts.received,
            confirmed=amounts.confirmed,
            confirmations=amounts.confirmations,
        )
        if after.is_paid:
            assert after.confirmed >= DUE
        if start is not State.PENDING:
            assert not after.is_paid, "what has ended is never paid by itself"
        if after.state is State.PENDING:
            assert after.received == 0
        assert weigh(after, deposits).state is after.state or after.state is State.LATE, "the same twice is once"
        payment = after
