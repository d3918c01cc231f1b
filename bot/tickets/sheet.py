"""The page a ticket is drawn on: A4, millimetres, a few colours, and text that stays where it belongs."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from fpdf import FPDF
from fpdf.enums import Align, XPos, YPos

from bot.tickets import typefaces

Colour = tuple[int, int, int]

INK: Colour = (17, 24, 39)
MUTED: Colour = (99, 107, 120)
RULE: Colour = (214, 219, 226)
NAVY: Colour = (16, 38, 74)
ACCENT: Colour = (12, 116, 128)
PALE: Colour = (244, 246, 249)
AMBER: Colour = (253, 236, 200)
WARNING: Colour = (146, 64, 14)
STAMP: Colour = (200, 30, 30)
WHITE: Colour = (255, 255, 255)
ICE: Colour = (186, 205, 232)

MARGIN = 15.0
WIDTH = 210.0 - 2 * MARGIN  # of what is printed
BOTTOM = 297.0 - 14.0  # nothing but the footer below

_POINT = 0.352778  # mm

Side = Literal["L", "R", "C"]


class Sheet(FPDF):
    """An FPDF with the ticket's fonts. ``text`` is all that will be written: it decides which fonts are needed.

    ``foot`` draws what each page ends with.
    """

    def __init__(self, text: str, created: datetime, foot: Callable[["Sheet"], None]) -> None:
        super().__init__(orientation="portrait", unit="mm", format="A4")
        self._foot = foot
        self.set_auto_page_break(False)
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.c_margin = 0
        self.set_creation_date(created)  # with the date given, the same ticket is the same bytes
        typefaces.load(self, text)

    def footer(self) -> None:
        """fpdf2 calls it when a page is full."""
        self._foot(self)

    def page_number(self, y: float, text: str) -> None:
        """``text`` and ``page 1 of 2``, at the right. fpdf2 fills the last number in when it knows it."""
        line = f"{text} · page {self.page_no()} of "
        self._style(7, False, MUTED)
        self.set_xy(MARGIN + WIDTH - self.get_string_width(f"{line}0"), y)
        self.cell(0, 7 * _POINT * 1.2, f"{line}{self.str_alias_nb_pages}", align=Align.L)

    def put(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        bold: bool = False,
        colour: Colour = INK,
        width: float = 0,
        align: Side = "L",
        spacing: float = 0,
        link: str = "",
    ) -> float:
        """One line, its top at ``y``. With a ``width``, aligned in it. Gives back how wide the text is, mm."""
        text = typefaces.printable(text)
        self._style(size, bold, colour)
        self.set_char_spacing(spacing)
        wide = self.get_string_width(text)
        left = x if align == "L" else x + width - wide if align == "R" else x + (width - wide) / 2
        self.set_xy(left, y)
        self.cell(wide, size * _POINT * 1.2, text, align=Align.L, new_x=XPos.RIGHT, new_y=YPos.TOP, link=link)
        self.set_char_spacing(0)
        return wide

    def put_fitted(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        width: float,
        *,
        smallest: float,
        bold: bool = False,
        colour: Colour = INK,
        align: Side = "L",
    ) -> None:
        """One line that is made smaller to fit, and at its smallest cut with an ellipsis. Not for names of people."""
        while size > smallest and self._width(text, size, bold) > width:
            size = max(smallest, size - 0.5)
        if self._width(text, size, bold) > width:
            while text and self._width(text + "…", size, bold) > width:
                text = text[:-1].rstrip()
            text += "…"
        self.put(x, y, text, size, bold=bold, colour=colour, width=width, align=align)

    def put_whole(
        self, x: float, y: float, text: str, size: float, width: float, *, smallest: float, bold: bool = False
    ) -> float:
        """All of it: smaller where it is long, on several lines where that is not enough. Gives back its height, mm."""
        text = typefaces.printable(text)
        while size > smallest and self._width(text, size, bold) > width:
            size = max(smallest, size - 0.5)
        self._style(size, bold, INK)
        self.set_xy(x, y)
        line = size * _POINT * 1.25
        self.multi_cell(width, line, text, align=Align.L, new_x=XPos.LEFT, new_y=YPos.NEXT)
        return float(self.get_y() - y)

    def label(self, x: float, y: float, text: str, *, width: float = 0, align: Side = "L") -> None:
        """The small caption above a value."""
        self.put(x, y, text.upper(), 6.5, colour=MUTED, width=width, align=align, spacing=0.35)

    def rule(self, y: float, x: float = MARGIN, width: float = WIDTH, colour: Colour = RULE) -> None:
        self.set_draw_color(*colour)
        self.set_line_width(0.25)
        self.line(x, y, x + width, y)

    def box(self, x: float, y: float, width: float, height: float, fill: Colour, radius: float = 0) -> None:
        self.set_fill_color(*fill)
        if radius:
            self.rect(x, y, width, height, style="F", round_corners=True, corner_radius=radius)
        else:
            self.rect(x, y, width, height, style="F")

    def flight_line(self, x: float, y: float, width: float) -> None:
        """From a ring to a full point, with an aeroplane's arrow between."""
        self.set_draw_color(*ACCENT)
        self.set_line_width(0.45)
        self.line(x + 1.2, y, x + width - 1.2, y)
        self.set_fill_color(*WHITE)
        self.circle(x + 1.2, y, 1.1, style="DF")
        self.set_fill_color(*ACCENT)
        self.circle(x + width - 1.2, y, 1.2, style="F")
        middle = x + width / 2
        self.polygon(
            [(middle - 1.8, y - 1.9), (middle + 2.6, y), (middle - 1.8, y + 1.9), (middle - 0.7, y)], style="F"
        )

    def watermark(self, text: str) -> None:
        """Across the page, pale enough to read through."""
        with self.local_context(fill_opacity=0.07), self.rotation(52, 105, 150):
            self.put(0, 142, text, 39, bold=True, colour=STAMP, width=210, align="C")

    def _width(self, text: str, size: float, bold: bool) -> float:
        self._style(size, bold, INK)
        return float(self.get_string_width(text))

    def _style(self, size: float, bold: bool, colour: Colour) -> None:
        self.set_font(typefaces.SANS, "B" if bold else "", size)
        self.set_text_color(*colour)
