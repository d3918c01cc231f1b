"""Twilio's refusals: an HTTP status, a code of its own, and a message (https://www.twilio.com/docs/api/errors)."""

from aiohttp import web


class TwilioError(Exception):
    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def answer(self) -> web.Response:
        body = {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        return web.json_response(body, status=self.status)


# What a message can fail with after it was accepted.
MEDIA_FAILED = 63019  # could not be downloaded, or has 0 bytes
MEDIA_UNSUPPORTED = 63021  # of a type that WhatsApp does not carry
MEDIA_REJECTED = 63005  # too large for WhatsApp
OUTSIDE_WINDOW = 63016  # free text more than 24 hours after the person's last message
NO_SUCH_PERSON = 63024  # the number has no WhatsApp
