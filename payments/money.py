"""Money: whole minor units with their currency. Never a float, never a bare number."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from runtime.errors import LayoverError

# ISO 4217 currencies whose minor unit is not a hundredth. Source: ISO 4217 list one.
ZERO_DECIMAL = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
THREE_DECIMAL = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])


class CurrencyMismatch(LayoverError):
    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"cannot add {left} to {right}: convert one of them first")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of a fiat currency. ``minor`` counts its smallest unit: cents for USD, yen for JPY."""

    minor: int
    currency: str  # ISO 4217, upper case

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise CurrencyMismatch(self.currency, other.currency)
        return Money(self.minor + other.minor, self.currency)

    def __mul__(self, count: int) -> "Money":
        return Money(self.minor * count, self.currency)

    @property
    def amount(self) -> Decimal:
        """In major units: 1842.60 for 184260 US cents."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    @classmethod
    def of(cls, amount: Decimal | str, currency: str) -> "Money":
        """From major units. Halves go to the even neighbour (the one rounding rule for fiat)."""
        minor = Decimal(amount).scaleb(exponent(currency)).quantize(Decimal(1), ROUND_HALF_EVEN)
        return cls(int(minor), currency)

    def __str__(self) -> str:
        return f"{self.currency} {self.amount:,.{exponent(self.currency)}f}"


def exponent(currency: str) -> int:
    """How many decimal places the currency has (ISO 4217)."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


@dataclass(frozen=True, slots=True)
class Coin:
    """What an on-chain payment is counted in: the native coin, or one ERC-20 token."""

    symbol: str
    decimals: int
    token_address: str | None = None  # None: the native coin

    def units(self, amount: Decimal) -> int:
        """Whole units (wei) of a decimal amount, rounded up: what is due is never short by a fraction."""
        scaled = amount.scaleb(self.decimals)
        whole = int(scaled)
        return whole if whole == scaled else whole + 1

    def text(self, units: int) -> str:
        """For people, exact: at least two decimals, no more than are needed. ``1.00 CLAYER``."""
        amount = Decimal(units).scaleb(-self.decimals)
        plain = f"{amount.normalize():f}"
        whole, _, fraction = plain.partition(".")
        return f"{int(whole):,}.{fraction.ljust(2, '0')} {self.symbol}"
