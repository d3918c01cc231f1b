"""A Bot API call as it came: from a query, a form, a multipart form with files, or a JSON body."""

import json
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web


class ApiError(Exception):
    """An answer with ``ok: false``. ``description`` is Telegram's."""

    def __init__(self, code: int, description: str, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after = retry_after


def bad_request(description: str) -> ApiError:
    return ApiError(400, f"Bad Request: {description}")


@dataclass(frozen=True, slots=True)
class Upload:
    filename: str
    content_type: str
    content: bytes


@dataclass(slots=True)
class Arguments:
    """Fields by name (strings from forms, values from JSON) and the uploaded files by their part's name."""

    values: dict[str, object] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)

    def string(self, name: str) -> str | None:
        value = self.values.get(name)
        return None if value is None else str(value)

    def required(self, name: str, complaint: str) -> str:
        value = self.string(name)
        if not value:
            raise bad_request(complaint)
        return value

    def integer(self, name: str, default: int = 0) -> int:
        try:
            return int(str(self.values.get(name, default)))
        except ValueError:
            return default

    def boolean(self, name: str) -> bool:
        return str(self.values.get(name, "")).lower() in ("true", "1", "yes")

    def parsed(self, name: str) -> object:
        """A field that stands for an object or array; None where it is missing."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {name} JSON object") from None

    def upload(self, name: str) -> Upload | str:
        """The file of a field: uploaded under its name or by ``attach://``; otherwise a file id or a URL."""
        if name in self.files:
            return self.files[name]
        value = self.string(name)
        if not value:
            raise bad_request(f"there is no {name} in the request")
        if value.startswith("attach://"):
            attached = self.files.get(value.removeprefix("attach://"))
            if attached is None:
                raise bad_request(f"there is no file {value} in the request")
            return attached
        return value


async def read_arguments(request: web.Request) -> Arguments:
    """Raises ``ApiError`` where the body cannot be read."""
    arguments = Arguments(dict(request.query))
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError:
            raise bad_request("can't parse JSON object") from None
        if not isinstance(body, dict):
            raise bad_request("object expected as the request's body")
        arguments.values |= body
    elif request.content_type == "multipart/form-data":
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name is None:
                continue
            content = bytes(await part.read(decode=True))
            if part.filename is None:
                arguments.values[part.name] = content.decode()
            else:
                content_type = part.headers.get("Content-Type", "")
                arguments.files[part.name] = Upload(part.filename, content_type, content)
    elif request.can_read_body:
        arguments.values |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    return arguments
