"""The outside world in one process: Telegram, Twilio and the page to play the traveller, on local ports."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sandbox.clock import SandboxClock
from sandbox.control import Control
from sandbox.player import Pay, PlayerServer
from sandbox.specs import Specs
from sandbox.telegram import TelegramServer, TelegramUser
from sandbox.twilio import TwilioServer, WhatsAppUser


@dataclass(frozen=True, slots=True)
class Ports:
    """0: any free port."""

    page: int = 0
    telegram: int = 0
    twilio: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """The running servers. ``clock`` is Twilio's and Telegram's: turn it to leave the 24-hour window."""

    telegram: TelegramServer
    twilio: TwilioServer
    player: PlayerServer
    specs: Specs
    clock: SandboxClock

    @property
    def telegram_url(self) -> str:
        """The base for ``TelegramAPIServer.from_base``."""
        return self.telegram.url

    @property
    def twilio_url(self) -> str:
        """In place of https://api.twilio.com and https://content.twilio.com."""
        return self.twilio.url

    @property
    def page_url(self) -> str:
        return self.player.url

    @property
    def telegram_token(self) -> str:
        return self.telegram.token

    @property
    def twilio_sid(self) -> str:
        return self.twilio.sid

    @property
    def twilio_token(self) -> str:
        return self.twilio.token

    @property
    def whatsapp_number(self) -> str:
        """In E.164, without the ``whatsapp:`` prefix."""
        return self.twilio.number

    def connect(self, base_url: str, whatsapp_path: str = "/webhook") -> None:
        """Tells Twilio the daemon's public URL: WhatsApp messages go to ``base_url`` + ``whatsapp_path``."""
        self.twilio.connect(base_url.rstrip("/") + whatsapp_path)

    def telegram_user(self, name: str = "Ada") -> TelegramUser:
        return self.telegram.new_traveller(name)

    def whatsapp_user(self, name: str = "Tunde") -> WhatsAppUser:
        return self.twilio.new_traveller(name)

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        *,
        ports: Ports = Ports(),
        specs: Specs | None = None,
        pay: Pay | None = None,
        host: str = "127.0.0.1",
    ) -> AsyncIterator["World"]:
        """Runs the servers for the time of the block. ``specs``: by default what ``LAYOVER_SPECS`` names."""
        specs = Specs.from_environment() if specs is None else specs
        clock, player = SandboxClock(), PlayerServer(pay)
        telegram = TelegramServer(specs=specs, clock=clock, published=player.published)
        twilio = TwilioServer(specs=specs, clock=clock, published=player.published)
        async with (
            telegram.running(host, ports.telegram, *Control(telegram).routes()),
            twilio.running(host, ports.twilio, *Control(twilio).routes()),
            player.running(telegram, twilio, host, ports.page),
        ):
            yield cls(telegram, twilio, player, specs, clock)
