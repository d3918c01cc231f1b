"""Files that went through a fake: stored in memory, typed by their names, images measured."""

import mimetypes
import struct
from dataclasses import dataclass
from itertools import count

_UNTYPED = ("application/octet-stream", "")
_TYPES = mimetypes.MimeTypes()  # Python's own table, not the machine's
for _extension, _type in ((".ogg", "audio/ogg"), (".webp", "image/webp")):
    _TYPES.add_type(_type, _extension)


@dataclass(frozen=True, slots=True)
class File:
    """``path``: where Telegram's file download finds it (``documents/file_3.pdf``)."""

    id: str
    filename: str
    content_type: str
    content: bytes
    path: str


class Files:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = count(1)
        self._by_id: dict[str, File] = {}
        self._by_path: dict[str, File] = {}

    def add(self, content: bytes, filename: str, content_type: str = "", folder: str = "documents") -> File:
        """``content_type`` counts where it says something; aiogram sends every file as application/octet-stream."""
        number = next(self._numbers)
        if content_type in _UNTYPED:
            content_type = _TYPES.guess_type(filename)[0] or "application/octet-stream"
        _, dot, extension = filename.rpartition(".")
        path = f"{folder}/file_{number}{dot}{extension if dot else ''}"
        file = File(f"{self._prefix}{number:08d}", filename, content_type, content, path)
        self._by_id[file.id] = file
        self._by_path[path] = file
        return file

    def get(self, file_id: str) -> File | None:
        return self._by_id.get(file_id)

    def at(self, path: str) -> File | None:
        return self._by_path.get(path)


def image_size(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG or JPEG; None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    if content.startswith(b"\xff\xd8"):
        return _jpeg_size(content)
    return None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Walks the segments to the first start-of-frame marker (SOF0 to SOF15, but for the three that are not frames)."""
    position = 2
    while position + 9 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        length = int.from_bytes(content[position + 2 : position + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[position + 5 : position + 9])
            return width, height
        position += 2 + length
    return None
