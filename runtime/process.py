"""Which process this is, and that a SQLite file has only one."""

import fcntl
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.database import async_url
from runtime.errors import LayoverError


class DatabaseInUse(LayoverError):
    def __init__(self, path: Path, owner: str) -> None:
        super().__init__(
            f"The database {path} is in use by another process ({owner or 'unknown'}). Stop that one first, or give "
            "this one a DATABASE_URL of its own; several processes can share a PostgreSQL."
        )


def identity(database_url: str) -> str:
    """The name under which this process holds leases and runs jobs.

    On SQLite always the same, for only one process has the file: after a crash the next one is its heir at once. On
    PostgreSQL unique: others must wait until its leases have run out.
    """
    if _sqlite_path(database_url) is not None:
        return "only"
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


@contextmanager
def exclusive(database_url: str) -> Iterator[None]:
    """Keep other processes from the same SQLite file. The system lets go of the lock even after ``kill -9``.

    Raises DatabaseInUse. On PostgreSQL nothing is locked.
    """
    path = _sqlite_path(database_url)
    if path is None:
        yield
        return
    lock = path.with_name(path.name + ".lock")
    with lock.open("a+", encoding="ascii") as file:  # stays behind: removing it would let two hold two files
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise DatabaseInUse(path, file.read().strip()) from None
        file.truncate(0)
        file.write(f"pid {os.getpid()}\n")
        file.flush()
        yield


def _sqlite_path(database_url: str) -> Path | None:
    url = async_url(database_url)
    return Path(url.database or "") if url.drivername.startswith("sqlite") else None
