"""What a traveller does on Telegram, as the conversation hears of it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from bot.channels.model import Channel, ChatId
from bot.channels.telegram.updates import group_joined, inbound_from_update

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ADA = {"id": 42, "is_bot": False, "first_name": "Ada", "last_name": "Obi", "language_code": "en-GB"}
PRIVATE = {"id": 42, "type": "private", "first_name": "Ada"}
GROUP = {"id": -1001, "type": "supergroup", "title": "Trips"}


def message(**content: Any) -> dict[str, Any]:
    return {"update_id": 1, "message": {"message_id": 7, "date": 0, "from": ADA, "chat": PRIVATE, **content}}


def test_a_message_is_text_of_a_person_with_a_name_and_a_language() -> None:
    inbound = inbound_from_update(message(text=" Lagos to London\x00 "), NOW)
    assert inbound is not None
    assert inbound.chat == ChatId(Channel.TELEGRAM, "42")
    assert (inbound.text, inbound.button, inbound.callback_id) == ("Lagos to London", None, None)
    assert (inbound.name, inbound.language, inbound.received_at) == ("Ada Obi", "en-GB", NOW)


def test_a_pressed_button_brings_its_token_and_its_spinner() -> None:
    press = {"id": "99", "from": ADA, "chat_instance": "1", "data": "offer:3"}
    for shown in ({"message": {"message_id": 7, "date": 0, "chat": PRIVATE}}, {}):  # too old a message is not shown
        inbound = inbound_from_update({"update_id": 1, "callback_query": {**press, **shown}}, NOW)
        assert inbound is not None
        assert (inbound.text, inbound.button, inbound.callback_id) == (None, "offer:3", "99")
        assert inbound.chat.address == "42"


@pytest.mark.parametrize("content", [{"voice": {}}, {"sticker": {}}, {"location": {}}, {"photo": []}, {"contact": {}}])
def test_what_we_cannot_read_is_heard_as_something(content: dict[str, Any]) -> None:
    inbound = inbound_from_update(message(**content), NOW)
    assert inbound is not None
    assert (inbound.text, inbound.button) == (None, None)


def test_a_caption_is_read() -> None:
    inbound = inbound_from_update(message(photo=[], caption="my passport"), NOW)
    assert inbound is not None
    assert inbound.text == "my passport"


@pytest.mark.parametrize(
    "update",
    [
        {"update_id": 1},
        {"update_id": 1, "edited_message": message(text="edited")["message"]},
        {"update_id": 1, "poll_answer": {"anything": 1}},
        message(text="hello group", chat=GROUP),
        message(text="hello", **{"from": {**ADA, "is_bot": True}}),
        message(pinned_message={"message_id": 3}),
        {"update_id": 1, "callback_query": {"id": "9", "from": ADA, "message": {"chat": GROUP}, "data": "x"}},
        {"update_id": 1, "callback_query": {"id": "9", "from": ADA, "game_short_name": "chess"}},
    ],
)
def test_what_is_no_concern_of_a_conversation_is_passed_over(update: dict[str, Any]) -> None:
    assert inbound_from_update(update, NOW) is None
    assert group_joined(update) is None


def test_a_group_is_noticed_once_when_the_bot_is_added() -> None:
    def change(old: str, new: str, chat: dict[str, Any] = GROUP) -> dict[str, Any]:
        states = {"old_chat_member": {"status": old}, "new_chat_member": {"status": new}}
        return {"update_id": 1, "my_chat_member": {"chat": chat, "from": ADA, "date": 0, **states}}

    assert group_joined(change("left", "member")) == ChatId(Channel.TELEGRAM, "-1001")
    assert group_joined(change("member", "administrator")) is None
    assert group_joined(change("member", "left")) is None
    assert group_joined(change("kicked", "member", PRIVATE)) is None


@pytest.mark.parametrize("update", ["text", [], {"message": {}}, {"update_id": 1, "message": {"chat": {"id": "x"}}}])
def test_a_malformed_update_says_so(update: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        inbound_from_update(update, NOW)
