"""``scripts/bench`` runs from end to end and says what it measured. How fast is for a quiet machine to tell."""

import asyncio
import json
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


async def test_the_short_form_measures_every_part(tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "indexer", "--quick", "--json", str(written)),
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await process.communicate()

    assert process.returncode == 0, complaints.decode()
    figures = json.loads(written.read_text())["figures"]
    assert all(figure["value"] > 0 for figure in figures)
    for work in ("back-fill", "recorded full blocks", "open, from its head", "deposit seen", "xpub", "memory"):
        assert any(work in figure["work"] for figure in figures), work
        assert work in said.decode()
