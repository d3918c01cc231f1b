"""The traveller's hands over HTTP, under ``/_sandbox/``: for tests in another process, and for the page.

GET  travellers                       who is there
POST travellers {name}                a new person
GET  travellers/<key>                 messages and events
POST travellers/<key>/say {text}
POST travellers/<key>/press {button, message?}
POST travellers/<key>/file {kind, filename, content (base64), caption?}
POST travellers/<key>/block | unblock | redeliver
GET  travellers/<key>/wait?contains=…|matches=…&since=…&within=…   408 with the conversation where nothing came
GET  files/<id>
GET | POST | DELETE faults            POST: the fields of ``sandbox.faults.Fault``
GET  violations                       {checked, violations}
"""

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from aiohttp import web

from sandbox.faults import Faults, InvalidFault, fault_from_json
from sandbox.media import Files
from sandbox.specs import Specs
from sandbox.traveller import Match, NoSuchButton, NothingCame, Traveller
from sandbox.twilio import NotConnected, WebhookAnswer
from sandbox.views import Json, message_json, transcript_json, traveller_json

PREFIX = "/_sandbox"
_INLINE = ("image/png", "image/jpeg", "image/webp", "image/gif", "application/pdf")


class Controlled(Protocol):
    """What both servers have for their control."""

    faults: Faults
    files: Files
    specs: Specs

    @property
    def travellers(self) -> Mapping[str, Traveller]: ...

    def new_traveller(self, name: str) -> Traveller: ...


class Control:
    """The routes of one server's control."""

    def __init__(self, server: Controlled) -> None:
        self._server = server

    def routes(self, prefix: str = PREFIX) -> list[web.RouteDef]:
        one = f"{prefix}/travellers/{{key}}"
        return [
            web.get(f"{prefix}/travellers", self._travellers),
            web.post(f"{prefix}/travellers", self._new_traveller),
            web.get(one, self._transcript),
            web.get(f"{one}/wait", self._wait),
            web.post(f"{one}/{{action}}", self._act),
            web.get(f"{prefix}/files/{{id}}", self._file),
            web.get(f"{prefix}/faults", self._faults),
            web.post(f"{prefix}/faults", self._add_fault),
            web.delete(f"{prefix}/faults", self._clear_faults),
            web.get(f"{prefix}/violations", self._violations),
        ]

    async def _travellers(self, request: web.Request) -> web.Response:
        return web.json_response([traveller_json(traveller) for traveller in self._server.travellers.values()])

    async def _new_traveller(self, request: web.Request) -> web.Response:
        name = str((await _body(request)).get("name") or "Traveller")
        return web.json_response(traveller_json(self._server.new_traveller(name)), status=201)

    async def _transcript(self, request: web.Request) -> web.Response:
        return web.json_response(transcript_json(self._traveller(request)))

    async def _wait(self, request: web.Request) -> web.Response:
        query = request.query
        match: Match = query.get("contains")
        if "matches" in query:
            match = re.compile(query["matches"])
        since = int(query["since"]) if "since" in query else None
        try:
            within = float(query.get("within", "10"))
            message = await self._traveller(request).expect(match, within=within, since=since)
        except NothingCame as error:
            raise web.HTTPRequestTimeout(text=str(error)) from None
        return web.json_response(message_json(message))

    async def _act(self, request: web.Request) -> web.Response:
        traveller, fields = self._traveller(request), await _body(request)
        actions: dict[str, Callable[[], Awaitable[object]]] = {
            "say": lambda: traveller.say(_text(fields, "text")),
            "press": lambda: _press(traveller, fields),
            "file": lambda: _send_file(traveller, fields),
            "block": traveller.block,
            "unblock": traveller.unblock,
            "redeliver": traveller.redeliver,
        }
        action = actions.get(request.match_info["action"])
        if action is None:
            raise web.HTTPNotFound(text=f"a traveller can {', '.join(actions)}")
        try:
            outcome = await action()
        except (ValueError, NoSuchButton, NotConnected) as error:
            raise web.HTTPConflict(text=str(error)) from None
        if isinstance(outcome, WebhookAnswer):
            return web.json_response({"webhook": {"status": outcome.status, "body": outcome.body}})
        return web.json_response({"result": outcome})

    async def _file(self, request: web.Request) -> web.Response:
        file = self._server.files.get(request.match_info["id"])
        if file is None:
            raise web.HTTPNotFound(text="no such file")
        shown = file.content_type in _INLINE  # anything else could run in the page's origin
        disposition = web.Response(body=file.content, content_type=file.content_type)
        disposition.headers["X-Content-Type-Options"] = "nosniff"
        quoted = re.sub(r"[^\w.-]", "_", file.filename, flags=re.ASCII)
        disposition.headers["Content-Disposition"] = f'{"inline" if shown else "attachment"}; filename="{quoted}"'
        return disposition

    async def _faults(self, request: web.Request) -> web.Response:
        return web.json_response(self._server.faults.describe())

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            fault = fault_from_json(await _body(request))
        except InvalidFault as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from None
        return web.json_response({"id": self._server.faults.add(fault)}, status=201)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._server.faults.clear()
        return web.Response(status=204)

    async def _violations(self, request: web.Request) -> web.Response:
        specs = self._server.specs
        return web.json_response({"checked": specs.checked, "violations": [str(found) for found in specs.violations]})

    def _traveller(self, request: web.Request) -> Traveller:
        traveller = self._server.travellers.get(request.match_info["key"])
        if traveller is None:
            raise web.HTTPNotFound(text=f"there is no traveller {request.match_info['key']}")
        return traveller


async def _body(request: web.Request) -> Json:
    if not request.can_read_body:
        return {}
    try:
        fields = await request.json()
    except ValueError:
        raise web.HTTPBadRequest(text="the body must be JSON") from None
    if not isinstance(fields, dict):
        raise web.HTTPBadRequest(text="the body must be a JSON object")
    return fields


def _text(fields: Json, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise web.HTTPBadRequest(text=f"{name} is missing")
    return value


async def _press(traveller: Traveller, fields: Json) -> object:
    message = None
    if "message" in fields:
        message = traveller.conversation.message(str(fields["message"]))
        if message is None:
            raise web.HTTPNotFound(text=f"there is no message {fields['message']}")
    return await traveller.press(_text(fields, "button"), message)


async def _send_file(traveller: Traveller, fields: Json) -> object:
    try:
        content = base64.b64decode(_text(fields, "content"), validate=True)
    except binascii.Error:
        raise web.HTTPBadRequest(text="content must be base64") from None
    return await traveller.send_file(
        _text(fields, "kind"), content, _text(fields, "filename"), str(fields.get("caption") or "")
    )
