"""The web edge as one aiohttp application. Everything it needs is passed in; it holds no state of its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from aiohttp import web
from multidict import MultiDict
from prometheus_client import CollectorRegistry, generate_latest

from bot.channels.whatsapp.webhook import ForgedWebhook, MalformedWebhook, WhatsAppWebhook
from bot.documents import DocumentNotFound, Documents, safe_filename
from bot.web.health import HealthProbe
from bot.web.links import ExpiredLink, SignedLinks, TamperedLink
from bot.web.problems import answer_problems, log_requests, problem
from bot.web.verification import VerifyTicket, ticket_page

MAX_BODY = 256 * 1024  # bytes
_MAX_FIELDS = 300
_EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Edge:
    """What the routes stand on. ``whatsapp``: None where that channel is not configured."""

    documents: Documents
    links: SignedLinks
    verify: VerifyTicket
    health: HealthProbe
    registry: CollectorRegistry
    whatsapp: WhatsAppWebhook | None = None


def make_app(edge: Edge, more_routes: Iterable[web.AbstractRouteDef] = ()) -> web.Application:
    """The application; ``more_routes`` are those of other parts (payments' webhooks, the treasury's API)."""
    app = web.Application(middlewares=[log_requests, answer_problems], client_max_size=MAX_BODY)
    routes = _Routes(edge)
    app.add_routes(
        [
            web.post("/webhooks/twilio", routes.twilio_message),
            web.post("/webhook", routes.twilio_message),  # the name that callers already use
            web.post("/webhooks/twilio/status", routes.twilio_status),
            web.route("*", "/telegram-webhook", routes.telegram_webhook),
            web.get("/media/{document}/{expires}/{tag}/{filename}", routes.media),
            web.get("/verify/{code}", routes.verify),
            web.get("/health", routes.health),
            web.get("/metrics", routes.metrics),
            *more_routes,
        ]
    )
    return app


class _Routes:
    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def twilio_message(self, request: web.Request) -> web.Response:
        """Stored when this is answered; what there is to say follows over REST."""
        form, answer = await self._twilio_form(request)
        if answer is not None or self._edge.whatsapp is None:
            return answer or _not_configured()
        try:
            await self._edge.whatsapp.take_message(form)
        except MalformedWebhook as error:
            return problem(400, "Bad Request", str(error))
        return web.Response(text=_EMPTY_TWIML, content_type="text/xml")

    async def twilio_status(self, request: web.Request) -> web.Response:
        form, answer = await self._twilio_form(request)
        if answer is not None or self._edge.whatsapp is None:
            return answer or _not_configured()
        try:
            await self._edge.whatsapp.take_status(form)
        except MalformedWebhook as error:
            return problem(400, "Bad Request", str(error))
        return web.Response(status=204)

    async def _twilio_form(self, request: web.Request) -> tuple[MultiDict[str], web.Response | None]:
        """The form once its signature has been checked, or the answer that refuses the request."""
        if self._edge.whatsapp is None:
            return MultiDict(), _not_configured()
        if request.content_type != _FORM:
            raise web.HTTPUnsupportedMediaType
        body = await request.read()
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
        except ValueError:  # not UTF-8, or too many fields
            return MultiDict(), problem(400, "Bad Request", "The body is not a form as Twilio sends it.")
        form = MultiDict(fields)
        try:
            self._edge.whatsapp.verify(request.raw_path, form, request.headers.get("X-Twilio-Signature"))
        except ForgedWebhook as error:
            return form, problem(403, "Forbidden", str(error))
        return form, None

    async def telegram_webhook(self, request: web.Request) -> web.Response:
        return problem(404, "Not Found", "Telegram's updates are fetched by polling here; no webhook is in use.")

    async def media(self, request: web.Request) -> web.Response:
        """A stored file, to whoever holds its signed link."""
        document_id = request.match_info["document"]
        try:
            self._edge.links.check_media(document_id, request.match_info["expires"], request.match_info["tag"])
            document = await self._edge.documents.get(document_id)
        except TamperedLink as error:
            return problem(403, "Forbidden", str(error))
        except ExpiredLink as error:
            return problem(410, "Gone", str(error))
        except DocumentNotFound:
            return problem(404, "Not Found", "This file is no longer kept. Ask for it in the chat.")
        return web.Response(
            body=document.body,
            content_type=document.content_type,
            headers={
                "Content-Disposition": _disposition(document.filename),
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "private, no-store",
            },
        )

    async def verify(self, request: web.Request) -> web.Response:
        try:
            ticket = self._edge.links.ticket_of(request.match_info["code"])
        except TamperedLink:
            return ticket_page(None)
        return ticket_page(await self._edge.verify(ticket))

    async def health(self, request: web.Request) -> web.Response:
        report = self._edge.health()
        return web.json_response(
            report.as_json(), status=200 if report.is_ready else 503, headers={"Cache-Control": "no-store"}
        )

    async def metrics(self, request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._edge.registry),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )


def _not_configured() -> web.Response:
    return problem(404, "Not Found", "WhatsApp is not configured: set TWILIO_ACCOUNT_SID and its companions.")


def _disposition(filename: str) -> str:
    """Shown in the browser, saved under its name: RFC 6266, with the name in ASCII for old programs."""
    name = safe_filename(filename)
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
