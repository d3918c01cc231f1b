"""Paying on chain, put together from the settings: the indexer under its lease, the method, and what it is called."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import aiohttp

from bot.conversation.context import PayingFacts
from bot.settings import Settings
from indexer.addresses import AddressBook, account_xpub
from indexer.config import ChainConfig
from indexer.indexer import Indexer
from payments.checkout import Checkout
from payments.methods.clayer import ClayerConfig, ClayerMethod, payment_uri
from payments.methods.port import PaymentMethod
from payments.money import Coin
from payments.payment import Method
from runtime.clock import Clock
from runtime.database import Database
from runtime.leases import Leased, Leases, Tenure


@dataclass(frozen=True, slots=True)
class Chain:
    """What the daemon has where a node is configured."""

    indexer: Indexer
    service: Leased
    method: ClayerMethod
    explorer_url: Callable[[str], str | None]


def open_chain(
    settings: Settings, database: Database, session: aiohttp.ClientSession, clock: Clock, leases: Leases
) -> Chain | None:
    """None where no node is configured: then paying on chain is not offered.

    The mnemonic, where it is given instead of the account's public key, is used here once and kept nowhere.
    """
    if not settings.rpc_urls:
        return None
    tenure = Tenure(leases, "indexer")
    config = chain_config(settings)
    indexer = Indexer(config, database, session, clock, tenure.fence)
    xpub = merchant_xpub(settings)
    book = AddressBook(xpub, settings.circle_layer_derivation_path)
    terms = ClayerConfig(
        coin=Coin(
            settings.circle_layer_token_symbol,
            settings.circle_layer_token_decimals,
            settings.circle_layer_token_address,
        ),
        chain_id=settings.circle_layer_chain_id,
        account_xpub=xpub,
        usd_rate=settings.circle_layer_usd_rate,
        fixed_amount=settings.circle_layer_fixed_amount,
        time_to_pay=timedelta(seconds=settings.circle_layer_payment_timeout),
        settling=timedelta(seconds=(config.confirmations + 1) * config.block_time),
    )
    method = ClayerMethod(terms, database, indexer, book.address, clock)
    return Chain(indexer, Leased(indexer.name, indexer.run, tenure), method, config.explorer_url)


def chain_config(settings: Settings) -> ChainConfig:
    return ChainConfig(
        rpc_urls=settings.rpc_urls,
        ws_url=settings.circle_layer_ws_url,
        chain_id=settings.circle_layer_chain_id,
        confirmations=settings.circle_layer_min_confirmations,
        poll_interval=settings.circle_layer_poll_interval,
        rpc_timeout=settings.circle_layer_rpc_timeout,
        batch_size=settings.batch_size,
        requests_per_minute=settings.requests_per_minute,
        token=settings.circle_layer_token_address,
        token_decimals=settings.circle_layer_token_decimals,
        explorer_base_url=settings.circle_layer_explorer_base_url,
    )


def merchant_xpub(settings: Settings) -> str:
    """Raises BadAccountKey or BadMnemonic, each saying what to do."""
    if settings.circle_layer_merchant_xpub is not None:
        return settings.circle_layer_merchant_xpub
    assert settings.circle_layer_merchant_mnemonic is not None, "the settings ask for one of the two"
    mnemonic = settings.circle_layer_merchant_mnemonic.get_secret_value()
    return account_xpub(mnemonic, settings.circle_layer_derivation_path)


def methods_of(chain: Chain | None) -> dict[Method, PaymentMethod]:
    """Only what is configured is offered."""
    return {} if chain is None else {chain.method.kind: chain.method}


def paying_facts(settings: Settings, checkout: Checkout, explorer_url: Callable[[str], str | None]) -> PayingFacts:
    """What the conversation may say about paying."""
    return PayingFacts(
        methods=checkout.offered,
        network=settings.circle_layer_network_name,
        confirmations=settings.circle_layer_min_confirmations,
        transaction_link=explorer_url,
        payment_link=lambda payment: payment_uri(payment, settings.circle_layer_chain_id),
    )
