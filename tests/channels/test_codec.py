"""What is stored can be read again, as it was; what another release stored is refused with a clear word."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.codec import UnreadablePayload, dump_inbound, dump_outbound, load_inbound, load_outbound
from bot.channels.model import Attachment, AttachmentKind, Button, Channel, ChatId, Inbound, Outbound, Span, Style
from bot.channels.text import bold, link, text

CHAT = ChatId(Channel.WHATSAPP, "+2348012345678")
OUTBOUND = Outbound(
    CHAT,
    text("Pay ", bold("1.00"), " at ", link("https://a.test", "here")),
    ((Button("Card", "pay:card"),), (Button("Back", "back"),)),
    slot="payment:1:status",
    attachment=Attachment(AttachmentKind.PHOTO, "qr", "qr.png"),
    hint="Reply 1.",
    answers_callback="42",
)

spans = st.builds(Span, st.text(), st.sampled_from(list(Style)), st.none() | st.text())
optional = st.none() | st.text()


@given(st.lists(spans).map(tuple), optional, st.booleans())
def test_an_outbound_survives_storage(words: tuple[Span, ...], hint: str | None, typing: bool) -> None:
    outbound = replace(OUTBOUND, text=words, hint=hint, typing=typing)
    assert load_outbound(json.loads(json.dumps(dump_outbound(outbound)))) == outbound


@given(optional, optional, optional)
def test_an_inbound_survives_storage(words: str | None, button: str | None, name: str | None) -> None:
    inbound = Inbound(CHAT, datetime(2026, 11, 20, 12, 0, 0, 123456, UTC), words, button, name=name)
    assert load_inbound(json.loads(json.dumps(dump_inbound(inbound)))) == inbound


def test_what_cannot_be_read_says_why() -> None:
    payload = dump_outbound(OUTBOUND)
    for broken in ({**payload, "v": 99}, {**payload, "kind": "inbound"}, {}, {**payload, "buttons": "none"}):
        with pytest.raises(UnreadablePayload, match="another release"):
            load_outbound(broken)


@pytest.mark.parametrize("token", ["", "x" * 65, "ü" * 33])
def test_a_token_that_telegram_would_refuse_is_refused_when_it_is_made(token: str) -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        Button("Card", token)
