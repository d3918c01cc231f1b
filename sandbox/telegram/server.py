"""A server that speaks the Telegram Bot API (https://core.telegram.org/bots/api) for one bot."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

from aiohttp import web

from sandbox.clock import SandboxClock
from sandbox.faults import Faults
from sandbox.media import File, Files
from sandbox.serving import serve
from sandbox.specs import Specs
from sandbox.telegram.arguments import ApiError, Arguments, read_arguments
from sandbox.telegram.callbacks import Callbacks
from sandbox.telegram.chats import Chat, Chats, Wire
from sandbox.telegram.flood import FloodControl
from sandbox.telegram.profile import Profile
from sandbox.telegram.sending import Sending
from sandbox.telegram.updates import Updates
from sandbox.telegram.user import TelegramUser
from sandbox.transcript import Conversation, Event

DEFAULT_TOKEN = "7000000001:sandbox-bot-token"
_LARGEST_BODY = 64 * 1024 * 1024
_LARGEST_DOWNLOAD = 20 * 1024 * 1024

Method = Callable[[Arguments], Awaitable[object]]


class TelegramServer:
    """Serves while inside ``running``. ``calls`` counts the methods that were called, by name.

    ``published``: called with every event of every chat. ``flood.limits``: set it to a ``FloodLimits`` to turn
    Telegram's flood control on.
    """

    def __init__(
        self,
        *,
        token: str = DEFAULT_TOKEN,
        specs: Specs | None = None,
        clock: SandboxClock | None = None,
        published: Callable[[Conversation, Event], None] = lambda conversation, event: None,
    ) -> None:
        self.token = token
        self.url = ""
        self.specs = specs if specs is not None else Specs()
        self.faults = Faults()
        self.flood = FloodControl(time.monotonic)
        self.files = Files("AgACAg")
        self.updates = Updates()
        self.calls: Counter[str] = Counter()
        self.bot: Wire = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Layover",
            "username": "layover_sandbox_bot",
        }
        self.profile = Profile(self.bot, self.updates)
        self.travellers: dict[str, TelegramUser] = {}
        self._clock = clock if clock is not None else SandboxClock()
        self._published = published
        self._chats = Chats(self.files)
        self.callbacks = Callbacks(self._clock.now)
        self._ids = count(5_000_001)
        self._methods = self._table(Sending(self.bot, self._chats, self.files, self.flood))

    @asynccontextmanager
    async def running(self, host: str = "127.0.0.1", port: int = 0, *extra: web.RouteDef) -> AsyncIterator[None]:
        """Serves on ``url`` for the time of the block, with the extra routes beside its own."""
        async with serve(self.application(*extra), host, port) as self.url:
            yield

    def application(self, *extra: web.RouteDef) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.add_routes(extra)
        app.router.add_route("*", "/bot{token}/{method}", self._call)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        app.on_shutdown.append(self._stop_polls)
        return app

    def new_traveller(
        self,
        name: str = "Ada",
        *,
        language: str | None = "en",
        username: str | None = None,
        last_name: str | None = None,
    ) -> TelegramUser:
        """A person with Telegram who has not written to the bot yet."""
        person: Wire = {"id": next(self._ids), "is_bot": False, "first_name": name}
        optional = {"last_name": last_name, "username": username, "language_code": language}
        person |= {field: value for field, value in optional.items() if value is not None}
        conversation = Conversation("telegram", str(person["id"]), name, self._clock.now, self._published)
        chat = Chat(person, conversation)
        self._chats.by_id[chat.id] = chat
        traveller = TelegramUser(chat, self._chats, self.files, self.updates, self.callbacks, self.bot)
        self.travellers[traveller.key] = traveller
        return traveller

    def _table(self, sending: Sending) -> dict[str, tuple[str, Method]]:
        methods: dict[str, Method] = {
            "getMe": self.profile.get_me,
            "getUpdates": self._get_updates,
            "setWebhook": self.profile.set_webhook,
            "deleteWebhook": self.profile.delete_webhook,
            "getWebhookInfo": self.profile.get_webhook_info,
            "setMyCommands": self.profile.set_my_commands,
            "getMyCommands": self.profile.get_my_commands,
            "deleteMyCommands": self.profile.delete_my_commands,
            "sendMessage": sending.send_message,
            "sendPhoto": sending.send_photo,
            "sendDocument": sending.send_document,
            "sendChatAction": sending.send_chat_action,
            "editMessageText": sending.edit_message_text,
            "editMessageCaption": sending.edit_message_caption,
            "editMessageReplyMarkup": sending.edit_message_reply_markup,
            "deleteMessage": sending.delete_message,
            "answerCallbackQuery": self.callbacks.answer,
            "getFile": self._get_file,
        }
        return {name.lower(): (name, method) for name, method in methods.items()}

    async def _call(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.token:
            return _refusal(ApiError(401, "Unauthorized"))
        name, method = self._methods.get(request.match_info["method"].lower(), (request.match_info["method"], None))
        self.calls[name] += 1

        async def work() -> web.StreamResponse:
            try:
                arguments = await read_arguments(request)
                self.specs.telegram_request(name, arguments.values, list(arguments.files))
                if method is None:
                    raise ApiError(404, "Not Found: method not found")
                result = await method(arguments)
            except ApiError as error:
                return _refusal(error)
            self.specs.telegram_answer(name, result)
            return web.json_response({"ok": True, "result": result})

        return await self.faults.around(request, name, work, _injected)

    async def _get_updates(self, arguments: Arguments) -> list[Wire]:
        if self.profile.webhook:
            raise ApiError(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        self.profile.allow(arguments)
        offset, limit = arguments.integer("offset"), arguments.integer("limit", 100)
        return await self.updates.get(offset, limit, arguments.integer("timeout"))

    async def _get_file(self, arguments: Arguments) -> Wire:
        file = self.files.get(arguments.string("file_id") or "")
        if file is None:
            raise ApiError(400, "Bad Request: invalid file_id")
        if len(file.content) > _LARGEST_DOWNLOAD:
            raise ApiError(400, "Bad Request: file is too big")
        described: Wire = {"file_id": file.id, "file_unique_id": f"u{file.id}"}
        return described | {"file_size": len(file.content), "file_path": file.path}

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.token:
            return _refusal(ApiError(401, "Unauthorized"))
        file: File | None = self.files.at(request.match_info["path"])
        if file is None:
            return _refusal(ApiError(404, "Not Found"))
        return web.Response(body=file.content, content_type="application/octet-stream")

    async def _stop_polls(self, app: web.Application) -> None:
        self.updates.release("Conflict: the server is stopping")


def _refusal(error: ApiError) -> web.Response:
    body: Wire = {"ok": False, "error_code": error.code, "description": error.description}
    if error.retry_after is not None:
        body["parameters"] = {"retry_after": error.retry_after}
    return web.json_response(body, status=error.code)


def _injected(status: int, retry_after: int) -> web.Response:
    if status == 429:
        return _refusal(ApiError(429, f"Too Many Requests: retry after {retry_after}", retry_after))
    return _refusal(ApiError(status, "Internal Server Error"))
