"""Runs the outside world alone: ``python -m sandbox --port 8088``."""

import argparse
import asyncio
import contextlib
import signal
import sys

from sandbox.player import Pay
from sandbox.world import Ports, World


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8088, help="of the page to play the traveller (default 8088)")
    parser.add_argument("--telegram-port", type=int, default=8081, help="of the Telegram Bot API (default 8081)")
    parser.add_argument("--twilio-port", type=int, default=8082, help="of Twilio's REST API (default 8082)")
    parser.add_argument("--connect", metavar="URL", help="the daemon's public URL, for Twilio's webhooks")
    parser.add_argument("--whatsapp-path", default="/webhook", help="of the daemon's Twilio webhook")
    asyncio.run(_run(parser.parse_args()))


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, stop.set)
    ports = Ports(options.port, options.telegram_port, options.twilio_port)
    pay = Pay("scripts/fund_deposit.py --latest")
    async with World.start(ports=ports, pay=pay) as world:
        if options.connect:
            world.connect(options.connect, options.whatsapp_path)
        sys.stdout.write(_described(world))
        sys.stdout.flush()
        await stop.wait()


def _described(world: World) -> str:
    lines = {
        "play the traveller": world.page_url,
        "Telegram Bot API": f"{world.telegram_url}  token {world.telegram_token}",
        "Twilio REST API": f"{world.twilio_url}  account {world.twilio_sid}  token {world.twilio_token}",
        "WhatsApp number": world.whatsapp_number,
        "published schemas": "checked" if world.specs.checked else "not checked (LAYOVER_SPECS is not set)",
    }
    return "".join(f"{name + ':':22}{value}\n" for name, value in lines.items())


if __name__ == "__main__":
    main()
