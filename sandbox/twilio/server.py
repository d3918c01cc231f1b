"""A server that speaks Twilio's REST API for WhatsApp (2010-04-01 and the Content API), and calls webhooks."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from xml.etree import ElementTree

import aiohttp
from aiohttp import web

from sandbox.clock import SandboxClock
from sandbox.faults import Faults
from sandbox.media import Files
from sandbox.serving import Background, background, serve
from sandbox.specs import Specs
from sandbox.transcript import Conversation, Event
from sandbox.twilio.content import Contents
from sandbox.twilio.delivery import Delivery
from sandbox.twilio.errors import TwilioError
from sandbox.twilio.messages import API_VERSION, StoredMessage
from sandbox.twilio.user import Line, WhatsAppUser
from sandbox.twilio.webhooks import Alert, WebhookAnswer, Webhooks

DEFAULT_SID = "AC" + "5a4d" * 8
DEFAULT_TOKEN = "sandbox-auth-token"
DEFAULT_NUMBER = "+14155238886"
_BODY_LIMIT = 1600
_ADDRESS = re.compile(r"whatsapp:\+[1-9]\d{6,14}")

Work = Callable[[web.Request], Awaitable[web.Response]]


class TwilioServer:
    """Serves while inside ``running``. ``connect`` says where the business's webhook is. ``calls`` counts by operation
    (``POST Messages``). ``alerts``: what Twilio's debugger would list.
    """

    def __init__(
        self,
        *,
        sid: str = DEFAULT_SID,
        token: str = DEFAULT_TOKEN,
        number: str = DEFAULT_NUMBER,
        specs: Specs | None = None,
        clock: SandboxClock | None = None,
        published: Callable[[Conversation, Event], None] = lambda conversation, event: None,
    ) -> None:
        self.sid, self.token, self.number = sid, token, number
        self.url = ""
        self.specs = specs if specs is not None else Specs()
        self.clock = clock if clock is not None else SandboxClock()
        self.faults = Faults()
        self.files = Files("ME")
        self.calls: Counter[str] = Counter()
        self.travellers: dict[str, WhatsAppUser] = {}
        self.messages: dict[str, StoredMessage] = {}
        self.contents = Contents(sid, self.clock.now)
        self._published = published
        self._webhooks = Webhooks(token)
        self._line = Line(sid, number, self._webhooks, lambda: f"{self.url}{self._path('Messages')}", self._answered)
        self._delivery = Delivery(self.travellers, self.files, self._webhooks, self.clock.now)
        self._background: Background | None = None
        self._numbers = count(1)

    @property
    def alerts(self) -> list[Alert]:
        return self._webhooks.alerts

    def connect(self, webhook: str) -> None:
        """Messages to the business go to this URL from now on. Its fragment may set retries (``#rc=3&rp=all``)."""
        self._line.webhook = webhook

    @asynccontextmanager
    async def running(self, host: str = "127.0.0.1", port: int = 0, *extra: web.RouteDef) -> AsyncIterator[None]:
        """Serves on ``url`` for the time of the block, with the extra routes beside its own."""
        async with (
            aiohttp.ClientSession() as self._webhooks.session,
            background() as self._background,
            serve(self.application(*extra), host, port) as self.url,
        ):
            yield

    def application(self, *extra: web.RouteDef) -> web.Application:
        app = web.Application()
        app.add_routes(extra)
        messages = f"/{API_VERSION}/Accounts/{{account}}/Messages"
        content = "/v1/Content/{sid}"
        for method, path, name, work in (
            ("POST", f"{messages}.json", "POST Messages", self._send),
            ("GET", f"{messages}.json", "GET Messages", self._list),
            ("GET", f"{messages}/{{sid}}.json", "GET Message", self._fetch),
            ("POST", "/v1/Content", "POST Content", self._create_content),
            ("GET", "/v1/Content", "GET Contents", self._list_contents),
            ("GET", content, "GET Content", self._fetch_content),
            ("DELETE", content, "DELETE Content", self._delete_content),
            ("POST", f"{content}/ApprovalRequests/whatsapp", "POST ApprovalRequests", self._approve),
            ("GET", f"{content}/ApprovalRequests", "GET ApprovalRequests", self._approval),
        ):
            app.router.add_route(method, path, self._guarded(name, work))
        app.router.add_get(f"{messages}/{{sid}}/Media/{{media}}", self._media)
        return app

    def new_traveller(self, name: str = "Tunde", *, number: str | None = None) -> WhatsAppUser:
        """A person with WhatsApp who has not written yet. ``number`` in E.164; a fictional one by default."""
        key = number or f"+1202555{next(self._numbers):04d}"
        conversation = Conversation("whatsapp", key, name, self.clock.now, self._published)
        traveller = WhatsAppUser(conversation, self.files, self._line)
        self.travellers[key] = traveller
        return traveller

    def _path(self, resource: str) -> str:
        return f"/{API_VERSION}/Accounts/{self.sid}/{resource}"

    def _guarded(self, operation: str, work: Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Faults, then the basic authentication, then the work; Twilio's errors as Twilio answers them."""

        async def do(request: web.Request) -> web.StreamResponse:
            try:
                self._authenticate(request)
                return await work(request)
            except TwilioError as error:
                return error.answer()

        async def handle(request: web.Request) -> web.StreamResponse:
            self.calls[operation] += 1
            return await self.faults.around(request, operation, lambda: do(request), _injected)

        return handle

    def _authenticate(self, request: web.Request) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(given).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = password = ""
        known = scheme.lower() == "basic" and (user, password) == (self.sid, self.token)
        if not known or request.match_info.get("account", self.sid) != self.sid:
            raise TwilioError(401, 20003, "Authenticate")

    async def _send(self, request: web.Request) -> web.Response:
        form = [(name, str(value)) for name, value in (await request.post()).items()]
        self.specs.twilio_request("POST", request.path, form)
        message = self._accepted(dict(form))
        self.messages[message.sid] = message
        body = message.wire()
        self.specs.twilio_answer("POST", request.path, 201, body)
        self._carry(message)
        return web.json_response(body, status=201)

    def _accepted(self, form: dict[str, str]) -> StoredMessage:
        """The message of a form that Twilio takes. Raises ``TwilioError``."""
        to, sender = form.get("To", ""), form.get("From", "")
        if not to:
            raise TwilioError(400, 21604, "A 'To' phone number is required.")
        if not sender:
            raise TwilioError(400, 21603, "A 'From' phone number is required.")
        if to.startswith("whatsapp:") != sender.startswith("whatsapp:"):
            raise TwilioError(400, 21910, "Invalid From and To pair. From and To should be of the same channel")
        if not _ADDRESS.fullmatch(to):
            raise TwilioError(400, 21211, f"Invalid 'To' Phone Number: {to}")
        if sender != f"whatsapp:{self.number}":
            raise TwilioError(400, 63007, "Twilio could not find a Channel with the specified From address")
        body, media, content = form.get("Body", ""), form.get("MediaUrl"), form.get("ContentSid")
        if not (body or media or content):
            raise TwilioError(400, 21619, "A text message body or media urls must be specified.")
        if len(body) > _BODY_LIMIT:
            raise TwilioError(400, 21617, "The concatenated message body exceeds the 1600 character limit")
        if media and not media.startswith(("http://", "https://")):
            raise TwilioError(400, 21620, "Invalid media URL(s)")
        callback = form.get("StatusCallback")
        if callback and not callback.startswith(("http://", "https://")):
            raise TwilioError(400, 21609, f"The 'StatusCallback' URL {callback} is not a valid URL.")
        message = StoredMessage(self.sid, to, sender, body, self.clock.now(), media_url=media, status_callback=callback)
        if content:
            stored, rendered = self.contents.render(content, form.get("ContentVariables"))
            message.body, message.buttons = rendered.body, rendered.buttons
            message.media_url = rendered.media or media
            message.template = stored.approval == "approved" and not stored.session_only
        return message

    async def _list(self, request: web.Request) -> web.Response:
        self.specs.twilio_request("GET", request.path, list(request.query.items()))
        to, sender = request.query.get("To"), request.query.get("From")
        found = [m for m in self.messages.values() if to in (None, m.to) and sender in (None, m.sender)][::-1]
        size, page = int(request.query.get("PageSize", "50")), int(request.query.get("Page", "0"))
        shown = found[page * size : (page + 1) * size]
        last = (page + 1) * size >= len(found)
        first_uri = f"{self._path('Messages.json')}?PageSize={size}&Page=0"
        body: dict[str, object] = {
            "messages": [message.wire() for message in shown],
            "page": page,
            "page_size": size,
            "start": page * size,
            "end": page * size + max(len(shown) - 1, 0),
            "uri": request.path_qs,
            "first_page_uri": first_uri,
            "next_page_uri": None if last else f"{self._path('Messages.json')}?PageSize={size}&Page={page + 1}",
            "previous_page_uri": first_uri if page else None,
        }
        return web.json_response(body)

    async def _fetch(self, request: web.Request) -> web.Response:
        message = self.messages.get(request.match_info["sid"])
        if message is None:
            raise TwilioError(404, 20404, f"The requested resource {request.path} was not found")
        body = message.wire()
        self.specs.twilio_answer("GET", request.path, 200, body)
        return web.json_response(body)

    async def _create_content(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
        except ValueError:
            raise TwilioError(400, 20001, "the body must be JSON") from None
        return web.json_response(self.contents.create(body).wire(self.url), status=201)

    async def _list_contents(self, request: web.Request) -> web.Response:
        stored = [content.wire(self.url) for content in self.contents.by_sid.values()]
        url = f"{self.url}/v1/Content"
        meta = {"page": 0, "page_size": 50, "first_page_url": url, "url": url, "key": "contents"}
        return web.json_response(
            {"contents": stored, "meta": meta | {"next_page_url": None, "previous_page_url": None}}
        )

    async def _fetch_content(self, request: web.Request) -> web.Response:
        return web.json_response(self.contents.get(request.match_info["sid"]).wire(self.url))

    async def _delete_content(self, request: web.Request) -> web.Response:
        del self.contents.by_sid[self.contents.get(request.match_info["sid"]).sid]
        return web.Response(status=204)

    async def _approve(self, request: web.Request) -> web.Response:
        """WhatsApp's review takes minutes to days; here it passes at once, but for what cannot be a template."""
        content = self.contents.get(request.match_info["sid"])
        asked = await request.json()
        content.approval = "rejected" if content.session_only else "approved"
        return web.json_response(_approval(content.approval, asked), status=201)

    async def _approval(self, request: web.Request) -> web.Response:
        content = self.contents.get(request.match_info["sid"])
        url = f"{self.url}{request.path}"
        whatsapp = _approval(content.approval, {"name": content.friendly_name})
        return web.json_response({"sid": content.sid, "account_sid": self.sid, "whatsapp": whatsapp, "url": url})

    async def _media(self, request: web.Request) -> web.Response:
        file = self.files.get(request.match_info["media"])
        if file is None:
            return TwilioError(404, 20404, f"The requested resource {request.path} was not found").answer()
        return web.Response(body=file.content, content_type=file.content_type)

    def _carry(self, message: StoredMessage) -> None:
        assert self._background is not None, "the server is not running"
        self._background.start(self._delivery.carry(message))

    def _answered(self, person: str, answer: WebhookAnswer) -> None:
        """Sends what the webhook's TwiML says, as Twilio does with each ``<Message>``."""
        if not answer.accepted or not answer.body.strip():
            return
        try:
            twiml = ElementTree.fromstring(answer.body)
        except ElementTree.ParseError as error:
            self.alerts.append(Alert(12100, self._line.webhook or "", str(error)))
            return
        for said in twiml.iter("Message"):
            text = "".join(said.itertext()).strip()
            to, sender = f"whatsapp:{person}", f"whatsapp:{self.number}"
            message = StoredMessage(self.sid, to, sender, text, self.clock.now(), direction="outbound-reply")
            self.messages[message.sid] = message
            self._carry(message)


def _approval(status: str, asked: dict[str, object]) -> dict[str, object]:
    return {
        "name": asked.get("name", ""),
        "category": asked.get("category", "UTILITY"),
        "content_type": "twilio/text",
        "status": status,
        "rejection_reason": "list pickers cannot be templates" if status == "rejected" else "",
        "allow_category_change": False,
    }


def _injected(status: int, retry_after: int) -> web.Response:
    if status == 429:
        return TwilioError(429, 20429, "Too Many Requests").answer()
    return TwilioError(status, 20500, "An internal server error has occurred").answer()
