"""Conversations as JSON, for the control over HTTP and for the page."""

from sandbox.transcript import Button, Event, Message
from sandbox.traveller import Traveller

Json = dict[str, object]


def message_json(message: Message) -> Json:
    """``file.path`` is relative to the server's control: ``files/<id>``."""
    view: Json = {
        "id": message.id,
        "sender": message.sender,
        "at": message.at.isoformat(),
        "kind": message.kind,
        "text": message.text,
        "entities": list(message.entities),
        "buttons": [[_button(button) for button in row] for row in message.buttons],
        "edited": message.edited,
        "status": message.status,
        "error_code": message.error_code,
    }
    if message.file is not None:
        file = message.file
        view["file"] = {
            "path": f"files/{file.id}",
            "filename": file.filename,
            "content_type": file.content_type,
            "size": len(file.content),
        }
    return view


def event_json(event: Event) -> Json:
    message = message_json(event.message) if event.message else None
    at = event.at.isoformat()
    return {"number": event.number, "kind": event.kind, "at": at, "text": event.text, "message": message}


def traveller_json(traveller: Traveller) -> Json:
    return {"channel": traveller.conversation.channel, "key": traveller.key, "name": traveller.name}


def transcript_json(traveller: Traveller) -> Json:
    """The messages as they stand, and every event that led there."""
    return traveller_json(traveller) | {
        "messages": [message_json(message) for message in traveller.transcript],
        "events": [event_json(event) for event in traveller.conversation.events],
    }


def _button(button: Button) -> Json:
    return {"label": button.label, "data": button.data, "url": button.url, "description": button.description}
