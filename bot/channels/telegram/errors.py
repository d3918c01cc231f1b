"""How a call to the Bot API can fail, in terms of what to do about it."""

from runtime.errors import LayoverError


class TelegramError(LayoverError):
    """A call to Telegram's Bot API failed."""


class TelegramFlood(TelegramError):
    """429: wait that long before anything else is said."""

    def __init__(self, method: str, seconds: float) -> None:
        super().__init__(f"Telegram asked to wait {seconds:g} s before {method} is called again.")
        self.seconds = seconds


class TelegramUnavailable(TelegramError):
    """The network, a 5xx or an answer that is not JSON. Whether the call took effect is not known."""

    def __init__(self, method: str, reason: str) -> None:
        super().__init__(f"Telegram did not answer {method} as it should ({reason}); it is tried again.")


class TelegramConflict(TelegramError):
    """409: another process polls with the same token, or a webhook is set."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Telegram hands updates to somebody else: {reason}. Let only one Layover run with this TELEGRAM_BOT_TOKEN."
        )
        self.webhook_is_set = "webhook" in reason.lower()


class TelegramTokenRefused(TelegramError):
    """401 or 404: the token is wrong or was revoked."""

    def __init__(self) -> None:
        super().__init__("Telegram does not accept TELEGRAM_BOT_TOKEN. Get the right one from @BotFather and set it.")


class TelegramRefused(TelegramError):
    """400, 403 and other refusals: the same call would fail again. ``reason`` is Telegram's own."""

    def __init__(self, method: str, reason: str) -> None:
        super().__init__(f"Telegram refused {method}: {reason}")
        self.reason = reason

    def says(self, *phrases: str) -> bool:
        reason = self.reason.lower()
        return any(phrase.lower() in reason for phrase in phrases)


class TelegramBlocked(TelegramRefused):
    """403: the traveller blocked the bot or is gone."""
