"""Logs can be read by machines and hold no secret, whoever wrote the line."""

import json
import subprocess
import sys

import structlog

from runtime.logging import HIDDEN, Redactor

SCRIPT = """
import logging, sys, structlog
from runtime.logging import Format, configure_logging
configure_logging(form=Format({form!r}), secrets=["correct horse battery", "short"[:3]], stream=sys.stdout)
log = structlog.get_logger("payments")
with structlog.contextvars.bound_contextvars(payment_id="pay_1"):
    log.info("deposit_seen", amount="1 CLAYER", telegram_bot_token="123", headers={{"Authorization": "Bearer abc"}})
logging.getLogger("aiogram").warning("cannot reach https://api.telegram.org/bot123456789:AAH%s/getMe", "x" * 32)
logging.getLogger("aiohttp.access").info("not worth a line")
try:
    raise ValueError("the phrase is correct horse battery")
except ValueError:
    log.exception("failed", url="postgresql://layover:hunter2@db/layover")
"""


def run(form: str) -> str:
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(form=form)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_each_line_is_json_with_its_context_and_without_secrets() -> None:
    lines = [json.loads(line) for line in run("json").splitlines()]
    seen, unreachable, failed = lines
    assert (seen["event"], seen["payment_id"], seen["amount"]) == ("deposit_seen", "pay_1", "1 CLAYER")
    assert (seen["level"], seen["logger"]) == ("info", "payments")
    assert seen["timestamp"].endswith("Z")
    assert seen["telegram_bot_token"] == HIDDEN
    assert seen["headers"] == {"Authorization": HIDDEN}
    assert unreachable["event"] == f"cannot reach https://api.telegram.org/bot{HIDDEN}/getMe"
    assert failed["url"] == f"postgresql://layover:{HIDDEN}@db/layover"
    assert f"ValueError: the phrase is {HIDDEN}" in failed["exception"]


def test_the_console_shows_the_same_without_secrets() -> None:
    text = run("console")
    assert "deposit_seen" in text
    assert "payment_id=pay_1" in text
    for secret in ("correct horse", "hunter2", "AAHxxx", "abc"):
        assert secret not in text


def test_ordinary_words_stay() -> None:
    event = {
        "token_symbol": "CLAYER",
        "event": "fence",
        "fence": 7,
        "keys": ["a", {"secret": "x", "n": 1.5}],
        "seed": 0,
    }
    assert Redactor()(structlog.get_logger(), "info", event) == {
        "token_symbol": "CLAYER",
        "event": "fence",
        "fence": 7,
        "keys": ["a", {"secret": HIDDEN, "n": 1.5}],
        "seed": 0,
    }
