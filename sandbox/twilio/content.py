"""The Content API (https://www.twilio.com/docs/content): templates, list pickers, quick replies."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sandbox.transcript import Button
from sandbox.twilio.errors import TwilioError

_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_BODY_LIMIT = 1024


@dataclass(slots=True)
class Content:
    """A stored content. ``approval``: WhatsApp's, of templates: unsubmitted, received, approved, rejected."""

    sid: str
    account: str
    friendly_name: str
    language: str
    types: dict[str, Any]
    variables: dict[str, str]
    created: datetime
    approval: str = "unsubmitted"

    def wire(self, base: str) -> dict[str, object]:
        url = f"{base}/v1/Content/{self.sid}"
        return {
            "sid": self.sid,
            "account_sid": self.account,
            "friendly_name": self.friendly_name,
            "language": self.language,
            "variables": self.variables,
            "types": self.types,
            "url": url,
            "date_created": self.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "date_updated": self.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "links": {
                "approval_create": f"{url}/ApprovalRequests/whatsapp",
                "approval_fetch": f"{url}/ApprovalRequests",
            },
        }

    @property
    def session_only(self) -> bool:
        """List pickers cannot be approved."""
        return "twilio/list-picker" in self.types


@dataclass(frozen=True, slots=True)
class Rendered:
    """A content with its variables filled in. An item of a list has a description, be it empty; a reply has none."""

    body: str
    buttons: tuple[tuple[Button, ...], ...] = ()
    media: str | None = None


class Contents:
    def __init__(self, account: str, now: Callable[[], datetime]) -> None:
        self._account = account
        self._now = now
        self.by_sid: dict[str, Content] = {}

    def create(self, body: object) -> Content:
        """From the JSON of ``POST /v1/Content``. Raises ``TwilioError`` where a limit is broken."""
        if not isinstance(body, dict) or not isinstance(body.get("types"), dict) or not body["types"]:
            raise TwilioError(400, 20001, "types is required and must hold at least one content type")
        if not body.get("language"):
            raise TwilioError(400, 20001, "language is required")
        for name, fields in body["types"].items():
            _check(name, fields)
        content = Content(
            sid=f"HX{uuid4().hex}",
            account=self._account,
            friendly_name=str(body.get("friendly_name", "")),
            language=str(body["language"]),
            types=body["types"],
            variables=dict(body.get("variables") or {}),
            created=self._now().astimezone(UTC),
        )
        self.by_sid[content.sid] = content
        return content

    def get(self, sid: str) -> Content:
        content = self.by_sid.get(sid)
        if content is None:
            raise TwilioError(404, 20404, f"The requested resource /Content/{sid} was not found")
        return content

    def render(self, sid: str, variables: str | None) -> tuple[Content, Rendered]:
        """What a message with ``ContentSid`` and ``ContentVariables`` says. Raises ``TwilioError``."""
        content = self.by_sid.get(sid)
        if content is None:
            raise TwilioError(400, 21655, "The ContentSid is invalid")
        try:
            given = json.loads(variables) if variables else {}
        except ValueError:
            given = None
        if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
            raise TwilioError(400, 21656, "The ContentVariables Parameter is invalid")
        return content, _rendered(content.types, content.variables | given)


def _rendered(types: Mapping[str, Any], variables: Mapping[str, str]) -> Rendered:
    """Of several types the richest, as WhatsApp gets it."""

    def filled(text: object) -> str:
        return _VARIABLE.sub(lambda found: variables.get(found[1], found[0]), str(text or ""))

    if picker := types.get("twilio/list-picker"):
        items = picker["items"]
        rows = tuple(
            (Button(filled(i["item"]), filled(i["id"]), description=filled(i.get("description"))),) for i in items
        )
        return Rendered(filled(picker["body"]), rows)
    if replies := types.get("twilio/quick-reply"):
        buttons = tuple((Button(filled(a["title"]), filled(a.get("id") or a["title"])),) for a in replies["actions"])
        return Rendered(filled(replies["body"]), buttons)
    if action := types.get("twilio/call-to-action"):
        links = tuple((Button(filled(a["title"]), url=filled(a.get("url"))),) for a in action["actions"])
        return Rendered(filled(action["body"]), links)
    if media := types.get("twilio/media"):
        return Rendered(filled(media.get("body")), media=filled(media["media"][0]))
    text = types.get("twilio/text") or next(iter(types.values()))
    return Rendered(filled(text.get("body")))


def _check(name: str, fields: Any) -> None:
    """The limits of the content types that WhatsApp carries."""
    match name:
        case "twilio/text" | "twilio/call-to-action":
            _limit(name, "body", fields.get("body"), 1, 1600)
        case "twilio/quick-reply":
            _limit(name, "body", fields.get("body"), 1, _BODY_LIMIT)
            actions = fields.get("actions") or []
            _between(name, "actions", len(actions), 1, 10)
            for action in actions:
                _limit(name, "title", action.get("title"), 1, 20)
                _limit(name, "id", action.get("id") or "", 0, 200)
        case "twilio/list-picker":
            _limit(name, "body", fields.get("body"), 1, _BODY_LIMIT)
            _limit(name, "button", fields.get("button"), 1, 20)
            items = fields.get("items") or []
            _between(name, "items", len(items), 1, 10)
            for item in items:
                _limit(name, "item", item.get("item"), 1, 24)
                _limit(name, "id", item.get("id"), 1, 200)
                _limit(name, "description", item.get("description") or "", 0, 72)
        case "twilio/media":
            _between(name, "media", len(fields.get("media") or []), 1, 10)
        case _:
            raise TwilioError(400, 20001, f"the sandbox does not speak the content type {name}")


def _limit(kind: str, field: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, str):
        raise TwilioError(400, 20001, f"{kind}: {field} must be a string")
    _between(kind, f"{field} (characters)", len(value), least, most)


def _between(kind: str, field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise TwilioError(400, 20001, f"{kind}: {field} is {value}, not {least} to {most}")
