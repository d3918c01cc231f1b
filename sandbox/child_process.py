"""A child process that cannot outlive its parent, however the parent ends (kill -9 included)."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self

# Runs in the child before the program takes its place: a small guard process stays behind, waits for the pipe on
# standard input to close (the parent closed it, or is gone) and then kills the program, if it is still the guard's
# parent. The kernel's PR_SET_PDEATHSIG is not used: it is Linux only, and follows the thread that forked.
_GUARDED_EXEC = """
import os, signal, sys
program = os.getpid()
if os.fork() == 0:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1); os.dup2(null, 2)
    os.read(0, 1)
    if os.getppid() == program:
        os.kill(program, signal.SIGKILL)
    os._exit(0)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class ChildProcess:
    """A running program in a session of its own, so that Ctrl-C in the terminal reaches the parent alone."""

    def __init__(self, process: asyncio.subprocess.Process, lifeline: int) -> None:
        self._process = process
        self._lifeline = lifeline

    @classmethod
    async def spawn(
        cls,
        *command: str,
        output: IO[bytes] | int,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Self:
        """Start ``command`` in ``folder``; ``output`` takes both its standard output and its errors.

        Raises FileNotFoundError or PermissionError only for Python itself: a missing program shows as exit code 1
        and a message in ``output``.
        """
        reading, lifeline = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", _GUARDED_EXEC, *command),
                stdin=reading,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
        except BaseException:
            os.close(lifeline)
            raise
        finally:
            os.close(reading)
        return cls(process, lifeline)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.returncode

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended already."""
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def wait(self) -> int:
        return await self._process.wait()

    async def stop(self, *, patience: float = 10.0) -> int:
        """Ask it to stop (SIGTERM), wait ``patience`` seconds, then kill it. Returns the exit code."""
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), patience)
        except TimeoutError:
            pass
        finally:
            code = await self.kill()
        return code

    async def kill(self) -> int:
        """kill -9, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        code = await asyncio.shield(self.wait())
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        return code
