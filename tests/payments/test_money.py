"""Money is exact: what is due rounds up, fiat rounds half to even, and nothing is ever a float."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.methods.clayer import payment_uri, units_at_rate
from payments.money import Coin, CurrencyMismatch, Money
from payments.payment import Method, Payment, Quote, State
from tests.payments.conftest import NOON

CLAYER = Coin("CLAYER", 18)


@given(
    minor=st.integers(1, 10**12),
    rate=st.decimals("0.000001", "100000", places=6, allow_nan=False, allow_infinity=False),
    decimals=st.sampled_from([0, 6, 18]),
)
def test_what_is_due_is_the_price_at_the_rate_rounded_up_by_less_than_one_unit(
    minor: int, rate: Decimal, decimals: int
) -> None:
    units = units_at_rate(Money(minor, "USD"), Coin("X", decimals), rate)
    exact = Fraction(minor, 100) / Fraction(rate) * 10**decimals
    assert 0 <= units - exact < 1


@pytest.mark.parametrize(
    ("units", "words"),
    [
        (10**18, "1.00 CLAYER"),
        (4 * 10**17, "0.40 CLAYER"),
        (1, "0.000000000000000001 CLAYER"),
        (1234567 * 10**18 + 5 * 10**15, "1,234,567.005 CLAYER"),
        (10**19, "10.00 CLAYER"),
    ],
)
def test_amounts_are_written_exactly(units: int, words: str) -> None:
    assert CLAYER.text(units) == words


def test_currencies_have_their_own_minor_units() -> None:
    assert str(Money(184260, "USD")) == "USD 1,842.60"
    assert str(Money(1842, "JPY")) == "JPY 1,842"
    assert Money.of("1.005", "USD").minor == 100
    assert Money.of("1.0055", "KWD").minor == 1006
    with pytest.raises(CurrencyMismatch):
        Money(1, "USD") + Money(1, "EUR")


def test_a_payment_link_says_the_chain_and_what_is_still_to_pay() -> None:
    quote = Quote(Money(100, "USD"), CLAYER, 10**18, "fixed", NOON)
    payment = Payment(
        "pay_1", "bkg_1", "telegram:1", Method.CLAYER, State.PENDING, quote, NOON, NOON, NOON, 1, address="0xAb"
    )
    assert payment_uri(payment, 28525) == "ethereum:0xAb@28525?value=1000000000000000000"
    part = replace(payment, received=6 * 10**17)
    assert payment_uri(part, 28525) == "ethereum:0xAb@28525?value=400000000000000000"
    token = replace(payment, quote=replace(quote, coin=Coin("USDX", 6, "0xToken")))
    assert payment_uri(token, 28525) == "ethereum:0xToken@28525/transfer?address=0xAb&uint256=1000000000000000000"
