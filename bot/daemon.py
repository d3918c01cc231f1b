"""The composition root: every part of the process is made here and nowhere else, then all run under one supervisor."""

import asyncio
import gc
import hashlib
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import structlog
from prometheus_client import CollectorRegistry

from bot import schema
from bot.chain import Chain, methods_of, open_chain, paying_facts
from bot.channels.codec import CHAT
from bot.channels.delivery import Sender, deliver_by
from bot.channels.metrics import ChannelMetrics
from bot.channels.model import Channel
from bot.channels.whatsapp.client import TwilioMessages
from bot.channels.whatsapp.sender import WhatsAppSender
from bot.channels.whatsapp.webhook import WhatsAppWebhook
from bot.channels.whatsapp.window import WhatsAppWindows
from bot.conversation.agent import Agent
from bot.conversation.facts import ChatFacts
from bot.conversation.phrases.common import COMMANDS
from bot.conversation.understand.lexicon import load_lexicon
from bot.documents import Documents
from bot.flights.places import Gazetteer
from bot.flights.timetable import TimetableSource
from bot.fulfilment import FULFIL, Fulfilment
from bot.metrics import BusinessMetrics, watch_chain
from bot.payment_news import PaymentNews
from bot.searching import SearchService
from bot.settings import Settings
from bot.upkeep import Upkeep
from bot.vitals import Vitals
from bot.web.app import Edge, make_app
from bot.web.links import SignedLinks
from payments.checkout import Checkout, PaymentTimer
from payments.evidence import Evidence
from payments.methods.clayer_evidence import ChainEvidence
from runtime.cache import Cache, MemoryCache
from runtime.clock import Clock, SystemClock, SystemIds
from runtime.database import Database
from runtime.http import HttpServer, client_session
from runtime.inbox import Inbox, InboxWorker
from runtime.jobs import Jobs
from runtime.leases import Leases
from runtime.logging import Format, configure_logging
from runtime.metrics import Metrics
from runtime.outbox import Courier, Outbox
from runtime.process import exclusive
from runtime.rates import ChannelRates, Rate
from runtime.services import Service, StopSignal, Supervisor

log = structlog.get_logger()

# https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
TELEGRAM_RATES = ChannelRates(overall=Rate(30, burst=30), per_lane=Rate(1, burst=20))
STOP_SECONDS = 9.0  # from SIGTERM to the end of every part, so that the process is gone within ten


@dataclass(frozen=True, slots=True)
class Base:
    """What the parts stand on. Made once, passed to whoever needs some of it."""

    settings: Settings
    database: Database
    session: aiohttp.ClientSession
    leases: Leases
    clock: Clock
    inbox: Inbox
    outbox: Outbox
    documents: Documents
    links: SignedLinks
    registry: CollectorRegistry
    metrics: Metrics
    channel_metrics: ChannelMetrics


async def run_daemon(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises a LayoverError that says what to do when it cannot start."""
    configure_logging(form=Format(settings.log_format), level=settings.log_level.upper(), secrets=settings.secrets)
    stop = StopSignal()
    stop.on_unix_signals()
    async with AsyncExitStack() as stack:
        base = await _base(settings, stack)
        chain = open_chain(settings, base.database, base.session, base.clock, base.leases)
        vitals = Vitals(base.clock, chain.indexer if chain else None, settings.variables_set)
        services = await _services(base, chain, vitals, stack)
        supervisor = Supervisor(services, base.clock, stop_seconds=STOP_SECONDS, metrics=base.metrics)
        vitals.watch(supervisor, services)
        gc.collect()
        gc.freeze()  # what is there now stays: to look through it again and again would hold up everything
        reason = await supervisor.run(stop)
        log.info("stopped", reason=reason)


async def _base(settings: Settings, stack: AsyncExitStack) -> Base:
    """The database at this release's schema (SQLite is brought there; PostgreSQL by ``layover migrate``), and doors."""
    url, clock = settings.database_url, SystemClock()
    stack.enter_context(exclusive(url))
    database = await stack.enter_async_context(Database.open(url))
    await asyncio.to_thread(schema.upgrade if database.is_sqlite else schema.check_current, url)
    registry = CollectorRegistry()
    secret = hashlib.sha256(b"links:" + settings.admin_secret_key.get_secret_value().encode()).digest()
    return Base(
        settings=settings,
        database=database,
        session=await stack.enter_async_context(client_session()),
        leases=Leases(database, clock),
        clock=clock,
        inbox=Inbox(clock),
        outbox=Outbox(clock),
        documents=Documents(database),
        links=SignedLinks(settings.base_url, secret, clock),
        registry=registry,
        metrics=Metrics(registry),
        channel_metrics=ChannelMetrics(registry),
    )


async def _services(base: Base, chain: Chain | None, vitals: Vitals, stack: AsyncExitStack) -> list[Service]:
    """Every part, from the chain up to the chats."""
    database, clock, ids = base.database, base.clock, SystemIds()
    cache, cache_services = await _cache(base.settings, stack)
    gazetteer = await asyncio.to_thread(_load_words)
    source = TimetableSource(database, clock, gazetteer)
    facts, jobs = ChatFacts(base.inbox), Jobs(database, clock)
    explorer_url = chain.explorer_url if chain else _no_explorer
    metrics = BusinessMetrics(base.registry)
    fulfilment = Fulfilment(
        database=database,
        clock=clock,
        source=source,
        documents=base.documents,
        links=base.links,
        facts=facts,
        chain=chain.indexer if chain else None,
        network=base.settings.circle_layer_network_name,
        explorer_url=explorer_url,
        metrics=metrics,
    )
    jobs.register(FULFIL, fulfilment.run)
    await jobs.prepare()

    methods = methods_of(chain)
    news = PaymentNews(facts, jobs, clock, metrics)
    evidence = Evidence(clock, news)
    timer = PaymentTimer(database, methods, evidence, news, clock)
    checkout = Checkout(methods, evidence, clock, ids, timer.wake)
    search = SearchService(database, clock, source, facts, cache)
    agent = Agent(
        clock=clock,
        ids=ids,
        outbox=base.outbox,
        documents=base.documents,
        checkout=checkout,
        gazetteer=gazetteer,
        paying=paying_facts(base.settings, checkout, explorer_url),
        wake_search=search.wake,
    )
    services: list[Service] = [
        *cache_services,
        jobs,
        timer,
        search,
        InboxWorker(database, clock, base.inbox, topic=CHAT, handler=agent.handle, metrics=base.metrics),
        Upkeep(database, base.inbox, base.outbox, base.documents, clock),
    ]
    if chain is not None:
        watch_chain(base.registry, chain.indexer)
        services += [chain.service, ChainEvidence(database, chain.indexer, evidence)]
    services += await _telegram(base, stack)
    whatsapp, whatsapp_services = _whatsapp(base)
    edge = Edge(base.documents, base.links, fulfilment.verify, vitals.report, base.registry, whatsapp)
    web = HttpServer("web", lambda: make_app(edge), host=base.settings.host, port=base.settings.port)
    return [*services, *whatsapp_services, web]


async def _cache(settings: Settings, stack: AsyncExitStack) -> tuple[Cache, list[Service]]:
    """Redis where it is configured; what it holds may be lost, so the process serves as well."""
    if settings.redis_url is None:
        return MemoryCache(), []
    from runtime.redis import RedisCache

    cache = RedisCache(settings.redis_url)
    stack.push_async_callback(cache.close)
    return cache, [cache]


async def _telegram(base: Base, stack: AsyncExitStack) -> list[Service]:
    if base.settings.telegram_bot_token is None:
        return []
    # Its client library takes three seconds and much memory to import: only where it is used.
    from bot.channels.telegram.client import TelegramClient
    from bot.channels.telegram.poller import TelegramPoller
    from bot.channels.telegram.sender import TelegramSender

    token = base.settings.telegram_bot_token.get_secret_value()
    client = await stack.enter_async_context(TelegramClient.open(token, base.settings.telegram_api_base_url))
    poller = TelegramPoller(
        client, base.database, base.inbox, base.outbox, base.clock, base.leases, base.channel_metrics, commands=COMMANDS
    )
    sender = TelegramSender(client, base.documents, base.clock, base.channel_metrics)
    return [poller, _courier(base, Channel.TELEGRAM, sender, TELEGRAM_RATES)]


def _whatsapp(base: Base) -> tuple[WhatsAppWebhook | None, list[Service]]:
    settings = base.settings
    if not (settings.twilio_account_sid and settings.twilio_auth_token and settings.twilio_whatsapp_number):
        return None, []
    auth_token = settings.twilio_auth_token.get_secret_value()
    windows = WhatsAppWindows(base.database)
    webhook = WhatsAppWebhook(
        base.database,
        base.inbox,
        base.outbox,
        windows,
        base.clock,
        base.channel_metrics,
        auth_token=auth_token,
        public_url=settings.base_url,
    )
    messages = TwilioMessages(
        base.session,
        account_sid=settings.twilio_account_sid,
        auth_token=auth_token,
        sender=settings.twilio_whatsapp_number,
        status_callback=f"{settings.base_url}/webhooks/twilio/status",
        base_url=settings.twilio_api_base_url,
    )
    sender = WhatsAppSender(
        messages, windows, base.links, base.clock, base.channel_metrics, template_sid=settings.whatsapp_template_sid
    )
    return webhook, [_courier(base, Channel.WHATSAPP, sender, ChannelRates())]


def _courier(base: Base, channel: Channel, sender: Sender, rates: ChannelRates) -> Courier:
    return Courier(
        base.database,
        base.clock,
        base.outbox,
        channel=channel,
        deliver=deliver_by(sender),
        rates=rates,
        metrics=base.metrics,
    )


def _load_words() -> Gazetteer:
    """What understanding needs, read before the first message."""
    load_lexicon("en")
    return Gazetteer.load()


def _no_explorer(_tx_hash: str) -> None:
    return None
