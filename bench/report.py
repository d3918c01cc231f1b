"""What a run measured, as a table for people and as JSON for machines."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement. ``goal`` and ``beside`` (the usual way, in the same unit) where there are such."""

    work: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False  # the goal is the least, not the most
    beside: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the usual way."""
        if not self.beside or not self.value:
            return None
        return self.value / self.beside if self.at_least else self.beside / self.value

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        reached = self.value >= self.goal if self.at_least else self.value <= self.goal
        return "reached" if reached else "missed"


_HEAD = ("work", "measured", "goal", "", "the usual way", "ratio", "")


def table(figures: Sequence[Figure]) -> str:
    """The figures in columns."""
    rows = [_HEAD, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def write_json(path: Path, name: str, figures: Sequence[Figure]) -> None:
    document = {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "figures": [asdict(figure) | {"ratio": figure.ratio, "verdict": figure.verdict} for figure in figures],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")


def _row(figure: Figure) -> tuple[str, ...]:
    sign = "≥" if figure.at_least else "≤"
    return (
        figure.work,
        f"{_number(figure.value)} {figure.unit}",
        "" if figure.goal is None else f"{sign} {_number(figure.goal)}",
        figure.verdict,
        "" if figure.beside is None else f"{_number(figure.beside)} {figure.unit}",
        "" if figure.ratio is None else f"{_number(figure.ratio)}×",
        figure.note,
    )


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
