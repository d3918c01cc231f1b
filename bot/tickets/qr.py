"""QR codes: as a picture for a chat, and as vectors on a paper."""

from io import BytesIO
from typing import TYPE_CHECKING

import segno

if TYPE_CHECKING:  # 20 MB, for papers alone
    from fpdf import FPDF

QUIET_ZONE = 4  # modules; ISO/IEC 18004 asks for it on every side
_PICTURE_SIDE = 720  # pixels at least: a phone shows it large, another phone reads it


def payment_qr(text: str) -> bytes:
    """A PNG of ``text`` (a payment link), black on white, with its quiet zone."""
    code = segno.make(text, error="m", micro=False)
    modules = code.symbol_size(border=QUIET_ZONE)[0]
    picture = BytesIO()
    code.save(picture, kind="png", scale=-(-_PICTURE_SIDE // modules), border=QUIET_ZONE)
    return picture.getvalue()


def draw_qr(pdf: "FPDF", text: str, x: float, y: float, side: float) -> None:
    """Draw it on the page within a square of ``side`` (quiet zone included), one rectangle a run of dark modules."""
    matrix = segno.make(text, error="m", micro=False).matrix
    module = side / (len(matrix) + 2 * QUIET_ZONE)
    pdf.set_fill_color(255)
    pdf.rect(x, y, side, side, style="F")
    pdf.set_fill_color(0)
    for row, line in enumerate(matrix):
        top = y + (row + QUIET_ZONE) * module
        for first, length in _runs(line):
            pdf.rect(x + (first + QUIET_ZONE) * module, top, length * module, module * 1.02, style="F")


def _runs(line: bytearray) -> list[tuple[int, int]]:
    """Start and length of each run of dark modules."""
    runs: list[tuple[int, int]] = []
    for column, dark in enumerate(line):
        if not dark:
            continue
        if runs and sum(runs[-1]) == column:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((column, 1))
    return runs
