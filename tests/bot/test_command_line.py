"""The command line as an operator sees it: run as a process, judged by what it prints and how it exits."""

import asyncio
import sys
from pathlib import Path

import pytest

from indexer.config import ChainConfig

ROOT = Path(__file__).parents[2]
GOOD = {
    "ADMIN_SECRET_KEY": "a-long-random-text-for-this-test",
    "TELEGRAM_BOT_TOKEN": "7000000001:made-up-for-this-test",
    "TELEGRAM_API_BASE_URL": "http://127.0.0.1:9",
}
MNEMONIC = "test test test test test test test test test test test junk"  # the public development mnemonic


async def layover(folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Exit status, and all that was printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ADMIN_SECRET_KEY": ""}, "ADMIN_SECRET_KEY is missing: any long random text"),
        ({"ADMIN_SECRET_KEY": "short"}, "ADMIN_SECRET_KEY: must have at least 16 characters"),
        ({"TELEGRAM_BOT_TOKEN": ""}, "no channel: set TELEGRAM_BOT_TOKEN"),
        ({"TWILIO_ACCOUNT_SID": "AC1"}, "TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_WHATSAPP_NUMBER go together"),
        ({"PORT": "http"}, "PORT: "),
        ({"BASE_URL": "layover.example"}, "BASE_URL: must be a URL that starts with http"),
        ({"DATABASE_URL": "mysql://x/y"}, "DATABASE_URL"),
        ({"CIRCLE_LAYER_RPC_URL": "http://127.0.0.1:1"}, "CIRCLE_LAYER_MERCHANT_XPUB is missing"),
        (
            {"CIRCLE_LAYER_RPC_URL": "http://127.0.0.1:1", "CIRCLE_LAYER_MERCHANT_XPUB": "xpub-not-one"},
            "CIRCLE_LAYER_MERCHANT_XPUB",
        ),
        ({"CIRCLE_LAYER_WS_URL": "http://node"}, "CIRCLE_LAYER_WS_URL: must be a URL that starts with ws"),
        ({"TELEGRAM_BOT_TOKEN": "nonsense"}, "TELEGRAM_BOT_TOKEN: is no bot's token"),
        ({"TWILIO_WHATSAPP_NUMBER": "hello"}, "TWILIO_WHATSAPP_NUMBER: must be a number with its country code"),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL: must be a URL that starts with redis://"),
        ({"CIRCLE_LAYER_RPC_URLS": "foo,bar"}, "CIRCLE_LAYER_RPC_URLS: must be a URL that starts with http"),
        ({"CIRCLE_LAYER_MIN_CONFIRMATIONS": "101"}, "CIRCLE_LAYER_MIN_CONFIRMATIONS: "),
        ({"CIRCLE_LAYER_MIN_CONFIRMATIONS": "0"}, "CIRCLE_LAYER_MIN_CONFIRMATIONS: "),
    ],
)
async def test_each_wrong_variable_is_named_with_what_to_do(
    tmp_path: Path, variables: dict[str, str], words: str
) -> None:
    status, output = await layover(tmp_path, "check", **{**GOOD, **variables})
    assert status == 2
    assert words in output
    assert "Traceback" not in output


async def test_all_faults_are_told_at_once_and_the_daemon_does_not_start_with_them(tmp_path: Path) -> None:
    status, output = await layover(tmp_path, "run", **{**GOOD, "PORT": "x", "BASE_URL": "y"})
    assert status == 2
    assert "PORT: " in output
    assert "BASE_URL: " in output
    assert "Traceback" not in output


async def test_what_is_unsafe_is_said_and_no_secret_is_shown(tmp_path: Path) -> None:
    variables = {
        **GOOD,
        "CIRCLE_LAYER_RPC_URL": "http://127.0.0.1:1",
        "CIRCLE_LAYER_MERCHANT_MNEMONIC": MNEMONIC,
        "CIRCLE_LAYER_FIXED_AMOUNT": "1",
        "STRIPE_SECRET_KEY": "made-up",
        "BASE_URL": "http://layover.example",
    }
    status, output = await layover(tmp_path, "check", **variables)
    assert status == 0
    for name in ("CIRCLE_LAYER_MERCHANT_MNEMONIC", "CIRCLE_LAYER_FIXED_AMOUNT", "STRIPE_SECRET_KEY", "BASE_URL is not"):
        assert f"unsafe: {name}" in output
    assert MNEMONIC not in output
    assert GOOD["TELEGRAM_BOT_TOKEN"] not in output


async def test_a_file_named_env_is_read_and_the_environment_goes_before_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("\n".join(f"{name}={value}" for name, value in GOOD.items()) + "\nPORT=wrong\n")
    status, output = await layover(tmp_path, "check")
    assert (status, "PORT: " in output) == (2, True)
    status, output = await layover(tmp_path, "check", PORT="8080")
    assert status == 0, output


async def test_a_reserved_variable_in_the_file_is_reported_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("stripe_secret_key=made-up\n")
    status, output = await layover(tmp_path, "check", **GOOD)
    assert status == 0
    assert "STRIPE_SECRET_KEY is set, but this release does not use it yet" in output
    assert "made-up" not in output


async def test_without_a_command_the_module_is_the_daemon(tmp_path: Path) -> None:
    status, output = await layover(tmp_path, **{**GOOD, "PORT": "x"})
    assert status == 2
    assert "PORT: " in output


def test_the_indexer_can_follow_every_depth_that_the_settings_allow() -> None:
    for depth in (1, 100):
        ChainConfig(("http://127.0.0.1:1",), confirmations=depth)


async def test_xpub_is_derived_offline_from_the_mnemonic(tmp_path: Path) -> None:
    status, output = await layover(tmp_path, "xpub", CIRCLE_LAYER_MERCHANT_MNEMONIC=MNEMONIC)
    assert status == 0
    assert output.startswith("xpub6C")
    status, output = await layover(tmp_path, "xpub", CIRCLE_LAYER_MERCHANT_MNEMONIC="one two three")
    assert status == 2
    assert "one two three" not in output


async def test_dead_letters_can_be_listed_and_a_wrong_id_is_answered_in_one_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'layover.db'}"
    status, output = await layover(tmp_path, "letters", "list", **GOOD, DATABASE_URL=url)
    assert (status, output.count("\n")) == (2, 1)
    assert "run 'layover migrate'" in output
    status, output = await layover(tmp_path, "migrate", **GOOD, DATABASE_URL=url)
    assert status == 0, output
    assert await layover(tmp_path, "letters", "list", **GOOD, DATABASE_URL=url) == (0, "No dead letters.\n")
    for wrong in ("17", "inbox:17", "attic:1"):
        status, output = await layover(tmp_path, "letters", "show", wrong, **GOOD, DATABASE_URL=url)
        assert status == 2
        assert output.count("\n") == 1
