"""The ``layover`` command. Each subcommand imports what it needs, so that small ones answer at once."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from getpass import getpass
from typing import TYPE_CHECKING

from runtime.errors import LayoverError

if TYPE_CHECKING:
    from bot.settings import Settings

EXIT_BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one subcommand. What went wrong is one sentence on standard error, and exit status 2."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        sys.exit(command(options))
    except LayoverError as error:
        print(f"layover: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="layover", description="A travel agent in a chat.")
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, command: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=words, description=words)
        sub.set_defaults(command=command)
        return sub

    add("run", run, "Run the daemon: chats, web endpoints and the indexer in one process.")
    add("check", check, "Say which variables are missing, wrong or unsafe, and what to do.")
    add("migrate", migrate, "Bring the database to this release's schema.")
    xpub_parser = add("xpub", xpub, "Derive the account's extended public key from the mnemonic. Works offline.")
    xpub_parser.add_argument("--path", default=None, help="derivation path, if not m/44'/60'/0'/0/{i}")
    letters_parser = add("letters", letters, "List, show or replay dead letters: what was given up on.")
    letters_parser.add_argument("action", choices=("list", "show", "replay"))
    letters_parser.add_argument("id", nargs="?", help="inbox:17, outbox:4 or jobs:fulfil:bkg_…, as the list says")
    chain_parser = add(
        "chain", chain, "Ask about the chain: its state, a balance, a transaction; have blocks read again."
    )
    _add_questions(chain_parser.add_subparsers(required=True, dest="question", metavar="question"))
    return parser


def _add_questions(questions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    def add(name: str, words: str) -> argparse.ArgumentParser:
        return questions.add_parser(name, help=words, description=words)

    add("status", "How far the chain has been read, and what the nodes can do. Exit status 1 if it is not followed.")
    balance = add("balance", "What an address holds, deep enough in the chain.")
    balance.add_argument("address")
    balance.add_argument("--confirmations", type=int, metavar="N", help="by default as configured")
    add("tx", "What became of a transaction.").add_argument("hash")
    rescan = add("rescan", "Read blocks again and store what was missed. Safe to repeat, and while the daemon runs.")
    rescan.add_argument("--from", type=int, required=True, metavar="BLOCK", dest="first")


def run(options: argparse.Namespace) -> int:
    from bot.daemon import run_daemon

    asyncio.run(run_daemon(_settings()))
    return 0


def check(options: argparse.Namespace) -> int:
    from bot.settings import BadConfiguration, given_variables, read_settings, unsafe

    try:
        settings = read_settings()
    except BadConfiguration as error:
        print("\n".join(f"wrong: {fault}" for fault in error.faults))  # noqa: T201
        return EXIT_BAD_INPUT
    for warning in unsafe(settings, given_variables()):
        print(f"unsafe: {warning}")  # noqa: T201
    print("The configuration is complete.")  # noqa: T201
    return 0


def migrate(options: argparse.Namespace) -> int:
    from bot.schema import bring_up_to_date

    url = _settings().database_url
    asyncio.run(bring_up_to_date(url))
    print("The database is at this release's schema.")  # noqa: T201
    return 0


def xpub(options: argparse.Namespace) -> int:
    """The mnemonic comes from the environment or a prompt, never from an argument that others could see."""
    from indexer.addresses import DEFAULT_PATH, account_xpub

    mnemonic = os.environ.get("CIRCLE_LAYER_MERCHANT_MNEMONIC") or getpass("Mnemonic (not shown): ")
    print(account_xpub(mnemonic, options.path or DEFAULT_PATH))  # noqa: T201
    return 0


def letters(options: argparse.Namespace) -> int:
    from bot.letters import act

    print(asyncio.run(act(_settings().database_url, options.action, options.id)))  # noqa: T201
    return 0


def chain(options: argparse.Namespace) -> int:
    from bot import chain_commands, chain_rescan, chain_status
    from runtime.logging import Format, configure_logging

    settings = _settings()
    configure_logging(form=Format.CONSOLE, level="ERROR", secrets=settings.secrets, stream=sys.stderr)
    match options.question:
        case "status":
            words, is_well = asyncio.run(chain_status.status(settings))
            print(words)  # noqa: T201
            return 0 if is_well else 1
        case "balance":
            print(asyncio.run(chain_commands.balance(settings, options.address, options.confirmations)))  # noqa: T201
        case "tx":
            print(asyncio.run(chain_commands.transaction(settings, options.hash)))  # noqa: T201
        case "rescan":
            asyncio.run(chain_rescan.rescan(settings, options.first, say))
    return 0


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _settings() -> "Settings":
    from bot.settings import read_settings

    return read_settings()
