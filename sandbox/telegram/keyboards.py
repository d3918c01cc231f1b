"""Inline keyboards: what Telegram refuses, and how the traveller sees them."""

from urllib.parse import urlsplit

from sandbox.telegram.arguments import Arguments, bad_request
from sandbox.transcript import Button

_MOST_BUTTONS = 100
_DATA_BYTES = 64
_ACTIONS = (
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
)


def inline_keyboard(arguments: Arguments) -> dict[str, object] | None:
    """``reply_markup`` where it is an inline keyboard, checked; None without one or for another kind of markup."""
    markup = arguments.parsed("reply_markup")
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    rows = markup.get("inline_keyboard")
    if rows is None:
        return None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request('field "inline_keyboard" of the InlineKeyboardMarkup should be an Array of Arrays')
    kept = [[_checked(button) for button in row] for row in rows if row]
    if sum(len(row) for row in kept) > _MOST_BUTTONS:
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    return {"inline_keyboard": kept} if kept else None


def _checked(button: object) -> dict[str, object]:
    if not isinstance(button, dict):
        raise bad_request("inline keyboard button must be an Object")
    if not str(button.get("text") or "").strip():
        raise bad_request("inline keyboard button text must be non-empty")
    actions = [name for name in _ACTIONS if button.get(name) is not None]
    if not actions:
        raise bad_request("text buttons are unallowed in the inline keyboard")
    if actions == ["callback_data"] and not 1 <= len(str(button["callback_data"]).encode()) <= _DATA_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    if actions == ["url"]:
        _check_url(str(button["url"]))
    return {name: value for name, value in button.items() if value is not None}


def _check_url(url: str) -> None:
    if url.startswith("tg://"):
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Unsupported URL protocol")
    if "." not in (parts.hostname or ""):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")


def seen(markup: object) -> tuple[tuple[Button, ...], ...]:
    """A checked keyboard as rows of buttons."""
    if not isinstance(markup, dict):
        return ()
    rows = markup["inline_keyboard"]
    return tuple(
        tuple(Button(button["text"], button.get("callback_data"), button.get("url")) for button in row) for row in rows
    )
