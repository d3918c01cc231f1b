"""Telegram: the Bot API server and the people who write to the bot."""

from sandbox.telegram.flood import FloodLimits
from sandbox.telegram.server import TelegramServer
from sandbox.telegram.user import TelegramUser

__all__ = ["FloodLimits", "TelegramServer", "TelegramUser"]
