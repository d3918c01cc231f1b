"""Layover and a whole outside world on this machine: the work behind ``scripts/sandbox``.

Telegram, Twilio and the page to play the traveller run in this process, Anvil and the daemon are its children. With
``--demo`` two travellers book a trip by themselves, and the exit code says whether both hold their tickets.
"""

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox.anvil import Anvil, AnvilFailed
from sandbox.anvil_binary import AnvilUnavailable, anvil_binary
from sandbox.player import Pay
from sandbox.world import Ports, World
from scripts.daemon_process import DaemonFailed, DaemonProcess, configuration
from scripts.demo import DemoFailed, play
from scripts.funding import Surroundings, arguments, fund

CHECKOUT = Path(__file__).resolve().parent.parent
LAYOVER = CHECKOUT / ".layover"
FUND = "scripts/fund_deposit.py --latest"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Everything that runs. ``folder`` holds this run's data and logs."""

    world: World
    anvil: Anvil
    daemon: DaemonProcess
    folder: Path


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/sandbox", description="Layover and its whole world, on this machine."
    )
    parser.add_argument("--demo", action="store_true", help="play two travellers through a whole booking, then stop")
    parser.add_argument("--block-time", type=float, default=1.0, metavar="S", help="seconds between blocks (default 1)")
    parser.add_argument("--free-ports", action="store_true", help="any free ports, not the usual ones where free")
    options = parser.parse_args()
    code = 0
    try:
        asyncio.run(_run(options))
    except* (AnvilUnavailable, AnvilFailed, DaemonFailed, DemoFailed) as failures:
        sys.stderr.write("".join(f"{failure}\n" for failure in _each(failures)))
        code = 1
    except* (KeyboardInterrupt, asyncio.CancelledError):  # Ctrl-C, SIGTERM: the way to end it, but not the demo
        code = 130 if options.demo else 0
    return code


def _each(failures: BaseExceptionGroup[Exception]) -> Iterator[BaseException]:
    """Without the groups that the servers' own task groups wrapped around them."""
    for failure in failures.exceptions:
        if isinstance(failure, BaseExceptionGroup):
            yield from _each(failure)
        else:
            yield failure


async def _run(options: argparse.Namespace) -> None:
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)  # SIGINT does so by itself
    async with sandbox(options.block_time, usual_ports=not options.free_ports) as box:
        try:
            if options.demo:
                await _demo(box)
            else:
                _say(_overview(box, options.block_time))
                await box.daemon.ended()
        finally:
            _say("Stopping …")


async def _demo(box: Sandbox) -> None:
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(box.daemon.ended())
        await play(box.world, box.anvil, box.folder, say=_say)
        watching.cancel()


@asynccontextmanager
async def sandbox(block_time: float, *, usual_ports: bool = True) -> AsyncIterator[Sandbox]:
    """Start everything, with a word on each step; stop it in the opposite order.

    Raises AnvilUnavailable, AnvilFailed, DaemonFailed.
    """
    folder = LAYOVER / "runs" / f"{datetime.now():%Y%m%d-%H%M%S-%f}"
    folder.mkdir(parents=True)
    _say("Bringing Anvil, the local chain …")
    await asyncio.to_thread(anvil_binary)
    _say("Starting the chain, Telegram, Twilio and the page …")
    port = _port if usual_ports else lambda wanted: 0
    async with AsyncExitStack() as stack:
        anvil = await stack.enter_async_context(Anvil.start(port=port(8545), block_time=block_time))
        surroundings = Surroundings(
            database_url=f"sqlite:///{folder / 'layover.db'}", circle_layer_rpc_url=anvil.http_url
        )
        ports = Ports(page=port(8088), telegram=port(8081), twilio=port(8082))
        pay = Pay(FUND, lambda: _pay_latest(surroundings))
        world = await stack.enter_async_context(World.start(ports=ports, pay=pay))
        _say("Starting the daemon …")
        variables = configuration(world, anvil, port=port(8080) or _free_port(), folder=folder)
        world.connect(variables["BASE_URL"])
        daemon = await stack.enter_async_context(DaemonProcess.start(variables, folder))
        with _known_to_scripts(surroundings):
            yield Sandbox(world, anvil, daemon, folder)


async def _pay_latest(surroundings: Surroundings) -> str:
    said: list[str] = []
    await fund(arguments(["--latest"]), surroundings, say=said.append)
    return "\n".join(said)


@contextlib.contextmanager
def _known_to_scripts(surroundings: Surroundings) -> Iterator[None]:
    """Tells ``fund_deposit.py`` where this sandbox's database and chain are, for as long as it runs."""
    note = LAYOVER / "sandbox.env"
    names = ("database_url", "circle_layer_rpc_url", "circle_layer_chain_id")
    words = "".join(f"{name.upper()}={getattr(surroundings, name)}\n" for name in names)
    note.write_text(words)
    try:
        yield
    finally:
        if note.is_file() and note.read_text() == words:  # a later sandbox may have written its own
            note.unlink()


def _overview(box: Sandbox, block_time: float) -> str:
    lines = {
        "Play the traveller": box.world.page_url,
        "Pay for them": f"{FUND}   (or the button on that page)",
        "Health": f"{box.daemon.base_url}/health",
        "Metrics": f"{box.daemon.base_url}/metrics",
        "Chain": f"{box.anvil.http_url}   (Anvil, chain id 28525, a block every {block_time:g} s)",
        "Log": str(box.daemon.log.relative_to(CHECKOUT)),
        "Data": str(box.folder.relative_to(CHECKOUT)),
        "Stop": "Ctrl-C",
    }
    return "\nLayover is running.\n\n" + "\n".join(f"  {name:20}{value}" for name, value in lines.items()) + "\n"


def _port(wanted: int) -> int:
    """The usual port where it is free, else 0: any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
