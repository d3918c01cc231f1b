"""Configuration: environment variables and .env, read once at start, each checked with a message that names it."""

import os
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import sqlalchemy as sa
from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from runtime.database import UnsupportedDatabase, async_url
from runtime.errors import LayoverError

# Names that operators know and that this release does not act on yet.
RESERVED = (
    "IO_API_KEY",
    "STRIPE_SECRET_KEY",
    "STRIPE_PUBLISHABLE_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "CIRCLE_API_KEY",
    "CIRCLE_API_BASE_URL",
    "CIRCLE_W3S_API_KEY",
    "CIRCLE_W3S_ENTITY_ID",
    "CIRCLE_W3S_ENTITY_SECRET",
    "CIRCLE_W3S_PLATFORM_WALLET_ID",
    "TELEGRAM_WEBHOOK_SECRET",
    "DUFFEL_ACCESS_TOKEN",
    "DUFFEL_WEBHOOK_SECRET",
)

# Circle Layer's public nodes, and what they allow: 100 requests a minute, 10 calls a batch.
PUBLIC_HOSTS = ("circlelayer.com", "clayer.io")
PUBLIC_REQUESTS = 100
PUBLIC_BATCH = 10
OWN_BATCH = 100  # of other nodes; one that takes less is noticed


class Settings(BaseSettings):
    """One field a variable; its name in capitals is the variable's."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    # Channels: at least one.
    telegram_bot_token: SecretStr | None = None
    telegram_api_base_url: str | None = None  # a Bot API server of one's own
    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_whatsapp_number: str | None = None
    twilio_api_base_url: str | None = None
    whatsapp_template_sid: str | None = None  # for messages after the 24-hour window

    # The process.
    base_url: str = "http://localhost:8080"  # as the outside reaches us: links and webhook signatures rest on it
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    database_url: str = "sqlite:///layover.db"
    redis_url: str | None = None
    admin_secret_key: SecretStr
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "json"

    # The chain.
    circle_layer_rpc_urls: Annotated[tuple[str, ...], NoDecode] = ()
    circle_layer_rpc_url: str | None = None
    circle_layer_ws_url: str | None = None
    circle_layer_rpc_timeout: float = Field(default=10.0, gt=0)
    circle_layer_requests_per_minute: int | None = Field(default=None, ge=10)
    circle_layer_batch_size: int | None = Field(default=None, ge=1, le=1000)
    circle_layer_chain_id: int = Field(default=28525, gt=0)
    circle_layer_network_name: str = "Circle Layer Testnet"
    circle_layer_token_symbol: str = "CLAYER"
    circle_layer_token_decimals: int = Field(default=18, ge=0, le=36)
    circle_layer_token_address: str | None = None  # an ERC-20 token instead of the native coin
    circle_layer_merchant_mnemonic: SecretStr | None = None
    circle_layer_merchant_xpub: str | None = None
    circle_layer_derivation_path: str = "m/44'/60'/0'/0/{i}"
    circle_layer_min_confirmations: int = Field(default=3, ge=1, le=100)
    circle_layer_poll_interval: float = Field(default=15.0, gt=0)
    circle_layer_explorer_base_url: str | None = None
    circle_layer_treasury_address: str | None = None  # for scripts/sweep.py alone
    circle_layer_payment_timeout: int = Field(default=3600, ge=60)  # seconds
    circle_layer_usd_rate: Decimal | None = Field(default=None, gt=0)  # USD for one coin
    circle_layer_fixed_amount: Decimal | None = Field(default=None, gt=0)  # coins, whatever the price: for tests

    @field_validator("circle_layer_rpc_urls", mode="before")
    @classmethod
    def split_urls(cls, value: object) -> object:
        return tuple(filter(None, re.split(r"[,\s]+", value))) if isinstance(value, str) else value

    @field_validator("circle_layer_rpc_urls")
    @classmethod
    def are_http(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(filter(None, map(cls.is_http, value)))

    @field_validator("telegram_bot_token")
    @classmethod
    def is_bot_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[0-9]+:[A-Za-z0-9_-]+", value.get_secret_value()):
            raise ValueError("is no bot's token: it looks like 123456789:AAb… and comes from @BotFather")
        return value

    @field_validator("twilio_whatsapp_number")
    @classmethod
    def is_number(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"(whatsapp:)?\+[1-9][0-9]{5,14}", value):
            raise ValueError("must be a number with its country code, such as +14155238886")
        return value

    @field_validator("redis_url")
    @classmethod
    def is_redis(cls, value: str | None) -> str | None:
        if value is None or value.startswith("unix://"):
            return value
        if urlsplit(value).scheme not in ("redis", "rediss") or not urlsplit(value).netloc:
            raise ValueError("must be a URL that starts with redis://, rediss:// or unix://")
        return value

    @field_validator("admin_secret_key")
    @classmethod
    def long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 16:
            raise ValueError("must have at least 16 characters")
        return value

    @field_validator("base_url", "telegram_api_base_url", "twilio_api_base_url", "circle_layer_explorer_base_url")
    @classmethod
    def is_http(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc:
            raise ValueError("must be a URL that starts with http:// or https://")
        return value.rstrip("/")

    @field_validator("circle_layer_rpc_url")
    @classmethod
    def is_rpc(cls, value: str | None) -> str | None:
        return cls.is_http(value) if value else value

    @field_validator("circle_layer_ws_url")
    @classmethod
    def is_websocket(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in ("ws", "wss"):
            raise ValueError("must be a URL that starts with ws:// or wss://")
        return value

    @field_validator("database_url")
    @classmethod
    def is_known_database(cls, value: str) -> str:
        try:
            async_url(value)
        except UnsupportedDatabase as error:
            raise ValueError(str(error).removeprefix("DATABASE_URL ")) from None
        except sa.exc.ArgumentError:
            raise ValueError("is not a URL such as sqlite:///layover.db or postgresql://user@host/name") from None
        return value

    @field_validator("circle_layer_token_address", "circle_layer_treasury_address")
    @classmethod
    def is_address(cls, value: str | None) -> str | None:
        from indexer.addresses import BadAddress, checksum_address

        try:
            return None if value is None else checksum_address(value)
        except BadAddress as error:
            raise ValueError(str(error)) from None

    @field_validator("circle_layer_derivation_path")
    @classmethod
    def ends_in_the_index(cls, value: str) -> str:
        return value if value.endswith("{i}") else f"{value.rstrip('/')}/{{i}}"

    @model_validator(mode="after")
    def belongs_together(self) -> "Settings":
        twilio = (self.twilio_account_sid, self.twilio_auth_token, self.twilio_whatsapp_number)
        if any(twilio) and not all(twilio):
            raise ValueError("TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_WHATSAPP_NUMBER go together")
        if not self.telegram_bot_token and not all(twilio):
            raise ValueError("no channel: set TELEGRAM_BOT_TOKEN, or the three TWILIO_ variables, or both")
        chain = bool(self.rpc_urls)
        if chain and not (self.circle_layer_merchant_xpub or self.circle_layer_merchant_mnemonic):
            raise ValueError("CIRCLE_LAYER_MERCHANT_XPUB is missing: make it with 'layover xpub' from the mnemonic")
        if chain:
            check_account(self)
        if chain and not (self.circle_layer_usd_rate or self.circle_layer_fixed_amount):
            raise ValueError("CIRCLE_LAYER_USD_RATE (or, in tests, CIRCLE_LAYER_FIXED_AMOUNT) is missing")
        return self

    @property
    def rpc_urls(self) -> tuple[str, ...]:
        """Every node, the first one preferred; none: paying on chain is not offered."""
        first = (self.circle_layer_rpc_url,) if self.circle_layer_rpc_url else ()
        return tuple(dict.fromkeys((*first, *self.circle_layer_rpc_urls)))

    @property
    def requests_per_minute(self) -> int | None:
        """To each node. Unless it is set: what the chain's public nodes allow where one is named; None: no limit."""
        return self.circle_layer_requests_per_minute or (PUBLIC_REQUESTS if self._uses_public_nodes else None)

    @property
    def batch_size(self) -> int:
        """Calls in one request. Unless it is set: what the chain's public nodes take where one is named."""
        return self.circle_layer_batch_size or (PUBLIC_BATCH if self._uses_public_nodes else OWN_BATCH)

    @property
    def _uses_public_nodes(self) -> bool:
        hosts = (urlsplit(url).hostname or "" for url in self.rpc_urls)
        return any(host.endswith(PUBLIC_HOSTS) for host in hosts)

    @property
    def variables_set(self) -> list[str]:
        """The names that were given, in the environment or in .env."""
        return sorted(name.upper() for name in self.model_fields_set)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must never be seen in a log."""
        held = (
            self.telegram_bot_token,
            self.twilio_auth_token,
            self.admin_secret_key,
            self.circle_layer_merchant_mnemonic,
        )
        return tuple(secret.get_secret_value() for secret in held if secret is not None)


def check_account(settings: Settings) -> None:
    """Raise ValueError unless deposit addresses can be derived, saying which variable stops it."""
    from indexer.addresses import AddressBook, BadAccountKey, BadDerivationPath, BadMnemonic, account_xpub

    path = settings.circle_layer_derivation_path
    mnemonic = settings.circle_layer_merchant_mnemonic
    try:
        xpub = settings.circle_layer_merchant_xpub
        AddressBook(xpub or account_xpub(mnemonic.get_secret_value() if mnemonic else "", path), path)
    except (BadAccountKey, BadMnemonic, BadDerivationPath) as error:
        raise ValueError(str(error)) from None


def variable_names() -> tuple[str, ...]:
    """Every variable that means something here."""
    return (*(name.upper() for name in Settings.model_fields), *RESERVED)


class BadConfiguration(LayoverError):
    """``faults``: one line a variable, each saying what to do."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("The configuration is not complete:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = tuple(faults)


def read_settings(env_file: Path | None = Path(".env")) -> Settings:
    """From the environment and .env. Raises BadConfiguration with every fault at once."""
    try:
        return Settings(_env_file=env_file)  # type: ignore[call-arg]  # the rest comes from the environment
    except ValidationError as error:
        raise BadConfiguration([_fault(each["loc"], each["msg"], each["type"]) for each in error.errors()]) from None


def _fault(location: tuple[int | str, ...], message: str, kind: str) -> str:
    name = str(location[0]).upper() if location else ""
    if kind == "missing":
        hint = (
            ""
            if name != "ADMIN_SECRET_KEY"
            else (
                ": any long random text; for example the output of "
                "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        )
        return f"{name} is missing{hint}"
    words = message.removeprefix("Value error, ")
    return f"{name}: {words}" if name else words


def given_variables(env_file: Path | None = Path(".env")) -> Mapping[str, str | None]:
    """Everything that is set, known or not, by its name in capitals. The environment goes before .env."""
    given = {**(dotenv_values(env_file) if env_file is not None else {}), **os.environ}
    return {name.upper(): value for name, value in given.items()}


def unsafe(settings: Settings, given: Mapping[str, str | None]) -> list[str]:
    """What works but should not be left so outside a sandbox; one line each. ``given``: see ``given_variables``."""
    found = []
    is_local = urlsplit(settings.base_url).hostname in ("localhost", "127.0.0.1", "::1")
    if settings.circle_layer_merchant_mnemonic is not None:
        found.append(
            "CIRCLE_LAYER_MERCHANT_MNEMONIC is set: the daemon needs only CIRCLE_LAYER_MERCHANT_XPUB. "
            "Make that with 'layover xpub' on another machine and remove the mnemonic from this one."
        )
    if not is_local and urlsplit(settings.base_url).scheme != "https":
        found.append("BASE_URL is not https: travellers' tickets would travel in the clear.")
    if is_local and settings.twilio_account_sid and settings.twilio_api_base_url is None:
        found.append("BASE_URL is this machine: Twilio cannot reach its webhooks and media there.")
    if settings.circle_layer_fixed_amount is not None:
        found.append("CIRCLE_LAYER_FIXED_AMOUNT is set: every trip costs the same. That is for tests.")
    if settings.rpc_urls and settings.circle_layer_ws_url is None:
        seconds = settings.circle_layer_poll_interval
        found.append(f"CIRCLE_LAYER_WS_URL is not set: the chain is polled every {seconds:g} s instead.")
    found.extend(f"{name} is set, but this release does not use it yet." for name in RESERVED if given.get(name))
    return found
