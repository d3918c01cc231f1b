"""The ticket as a traveller holds it: everything on it, for every name, and nothing cut off."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pypdf
import pypdfium2
import pytest
import zxingcpp
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from PIL import Image

from bot.flights.model import Party
from bot.tickets import wording
from bot.tickets.paper import SAMPLE, render_ticket
from bot.tickets.qr import payment_qr
from bot.tickets.ticket import Ticket
from bot.tickets.typefaces import missing

Make = Callable[..., Ticket]

NAMES = [
    ("Zoë", "Núñez"),
    ("小龍", "李"),
    ("محمد", "عبد الله"),
    ("Ọláńrewájú", "Adé\u0301bọ\u0300wálé"),
    ("Wolfeschlegelsteinhausenbergerdorff Maximiliana", "van der Bergen-Featherstonehaugh-Cholmondeley"),
    ("Thị Hồng Nhung", "Nguyễn"),
    ("Юлия", "Ωραία"),
    ("민준", "김"),
    ("さくら", "髙橋"),
    ("דוד", "כהן"),
    ("दीपिका", "शर्मा"),
    ("ดวงใจ", "สุขสันต์"),
]


def texts(pdf: bytes) -> list[str]:
    """What a reader finds on each page, white space made even."""
    return [re.sub(r"\s+", " ", page.extract_text()) for page in pypdf.PdfReader(BytesIO(pdf)).pages]


def test_holds_all_that_a_traveller_needs(make_ticket: Make) -> None:
    (page,) = texts(render_ticket(make_ticket()))
    for wanted in (
        "Sample Air", "QX4TZ7", "K7M2PD", "000-0000000101", "Ada Obi", "Adult, 1 of 2", "20 Nov 2026, 15:45 UTC",
        "Lagos to London, Fri 27 Nov 2026", "LOS", "18:55", "WAT (UTC+1)", "Terminal 2", "X0 401", "6 h 40 min",
        "LHR", "00:35", "GMT (UTC)", "Sat 28 Nov", "+1", "Premium economy", "nonstop",
        "London to Lagos, Sat 12 Dec 2026", "11:40", "19:20",
        "1 checked bag for each traveller with a seat",
        "Refundable for USD 150.00, before departure. Can be changed free of charge, before departure.",
        "USD 1,842.60 for 2 adults", "1.00 CLAYER, 20 Nov 2026, 15:42 UTC", "On-chain, Circle Layer Testnet",
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "block 1,234,567, 3 confirmations", "page 1 of 1",
    ):  # fmt: skip
        assert wanted in page, wanted
    ticket = make_ticket()
    assert ticket.receipt.transactions[0] in page.replace(" ", "")
    assert str(ticket.receipt.explorer_url) in page.replace(" ", "")


def test_a_sample_says_so_on_every_page_and_a_real_ticket_never(make_ticket: Make) -> None:
    pages = texts(render_ticket(make_ticket(stops=2)))
    assert len(pages) == 2
    assert all(SAMPLE in page for page in pages)
    assert not any("SAMPLE" in page for page in texts(render_ticket(make_ticket(stops=2, is_sample=False))))


def test_two_connections_there_and_back_fit_on_two_pages(make_ticket: Make) -> None:
    first, second = texts(render_ticket(make_ticket(*NAMES[4], stops=2, party=Party(2, (4, 9), 1))))
    for code in ("LOS", "ATL", "KTM", "LHR"):
        assert first.count(code) >= 2
    assert "Change planes in Kathmandu (KTM): 1 h 20 min" in first
    assert "UTC+5:45" in first
    assert "QX4TZ7" in second
    assert "Receipt".upper() in second
    assert "USD 1,842.60 for 2 adults, 2 children, 1 infant" in second


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[1])
def test_every_name_is_printed_whole(
    make_ticket: Make, name: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    ticket = make_ticket(*name)
    printed = passenger(render_ticket(ticket))
    assert "missing the following glyphs" not in caplog.text  # what fpdf2 says when it draws a .notdef
    assert letters(printed) == letters(ticket.traveller.full_name)
    if not SHAPED.search(
        unicodedata.normalize("NFD", ticket.traveller.full_name)
    ):  # elsewhere a reader may give the marks in another order
        assert printed == wording.name(ticket.traveller)


SHAPED = re.compile("[\u0300-\u036f\u0590-\u06ff\u0900-\u0e7f]")


def passenger(pdf: bytes) -> str:
    text = pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_range()
    return " ".join(text.partition("PASSENGER")[2].partition("TRAVELLER")[0].split())


def letters(text: str) -> Counter[str]:
    """How often each letter is there, marks apart."""
    return Counter(letter for letter in unicodedata.normalize("NFD", text) if unicodedata.category(letter)[0] == "L")


def test_a_letter_that_no_font_has_is_not_left_out_silently(make_ticket: Make) -> None:
    assert missing("Ada 𓀀") == {"𓀀"}
    assert passenger(render_ticket(make_ticket("A𓀀da", "Obi"))) == "A\ufffdda Obi"


def test_arabic_is_joined(make_ticket: Make) -> None:
    """Joined letters are other glyphs, and more of them, than the same letters each alone."""
    assert len(arabic_glyphs(make_ticket("ههه", "ههه"))) > len(arabic_glyphs(make_ticket("ه ه ه", "ه ه ه")))


def arabic_glyphs(ticket: Ticket) -> set[tuple[Any, ...]]:
    """The outlines of the Arabic font that the file kept."""
    page: Any = pypdf.PdfReader(BytesIO(render_ticket(ticket))).pages[0]
    font = next(f.get_object() for f in page["/Resources"]["/Font"].values() if "Arabic" in f.get_object()["/BaseFont"])
    kept = font["/DescendantFonts"][0].get_object()["/FontDescriptor"]["/FontFile2"].get_object().get_data()
    outlines = TTFont(BytesIO(kept))["glyf"]
    return {tuple(outlines[name].getCoordinates(outlines)[0]) for name in outlines.keys()}  # noqa: SIM118


@pytest.mark.parametrize("is_sample", [True, False])
def test_the_code_on_the_paper_leads_to_its_verification(make_ticket: Make, is_sample: bool) -> None:
    ticket = make_ticket(is_sample=is_sample)
    page = pypdfium2.PdfDocument(render_ticket(ticket))[0].render(scale=2).to_pil()
    (code,) = zxingcpp.read_barcodes(page)
    assert code.text == ticket.verify_url


def test_the_explorer_can_be_clicked(make_ticket: Make) -> None:
    ticket = make_ticket()
    page: Any = pypdf.PdfReader(BytesIO(render_ticket(ticket))).pages[0]
    links = {annotation.get_object()["/A"]["/URI"] for annotation in page["/Annots"]}
    assert links == {ticket.receipt.explorer_url}


def test_nothing_is_drawn_outside_the_margins(make_ticket: Make) -> None:
    for name in (NAMES[0], NAMES[4]):
        document = pypdfium2.PdfDocument(render_ticket(make_ticket(*name, stops=2, is_sample=False)))
        for page in document:
            text = page.get_textpage()
            boxes = [text.get_charbox(place) for place in range(text.count_chars())]
            drawn = [box for box in boxes if box[2] > box[0]]
            assert min(box[0] for box in drawn) >= 14.5 / 25.4 * 72
            assert max(box[2] for box in drawn) <= (210 - 14.5) / 25.4 * 72
            assert min(box[1] for box in drawn) >= 5 / 25.4 * 72


def test_the_same_ticket_is_the_same_bytes(make_ticket: Make) -> None:
    assert render_ticket(make_ticket("محمد", "李")) == render_ticket(make_ticket("محمد", "李"))
    assert render_ticket(make_ticket("Ada")) != render_ticket(make_ticket("Ade"))


def test_a_card_has_no_block(make_ticket: Make) -> None:
    card: dict[str, Any] = {"method": "Card", "amount": "USD 1,842.60", "network": None, "address": None}
    card |= {"transactions": (), "confirmations": None, "block": None, "explorer_url": None}
    (page,) = texts(render_ticket(make_ticket(one_way=True, receipt=card)))
    assert "USD 1,842.60, 20 Nov 2026, 15:42 UTC Method Card" in page
    assert not any(word in page for word in ("Deposit", "Transaction", "Confirmed", "Explorer", "OUTBOUND", "RETURN"))


def test_files_have_names_that_every_system_takes(make_ticket: Make) -> None:
    assert make_ticket().filename == "QX4TZ7-1-Ada-Obi.pdf"
    assert make_ticket("Zoë", "Núñez").filename == "QX4TZ7-1-Zoe-Nunez.pdf"
    assert make_ticket("小龍", "李").filename == "QX4TZ7-1.pdf"
    assert make_ticket("../../etc", "pass\nwd").filename == "QX4TZ7-1-etc-pass-wd.pdf"


def test_a_payment_link_is_read_from_its_picture() -> None:
    link = "ethereum:0x70997970C51812dc3A010C7d01b50e0d17dc79C8@28525?value=1000000000000000000"
    picture = payment_qr(link)
    assert picture.startswith(b"\x89PNG")
    with Image.open(BytesIO(picture)) as image:
        assert image.width == image.height >= 720
        assert image.getpixel((0, 0)) == image.getpixel((image.width // 30, image.width // 30))  # the quiet zone
        (code,) = zxingcpp.read_barcodes(image.convert("L"))
    assert code.text == link
