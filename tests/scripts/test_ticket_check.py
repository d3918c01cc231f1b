"""The demo's check of a ticket finds what is printed, and says what is not."""

from fpdf import FPDF

from scripts.ticket_check import missing_words


def test_it_says_which_words_are_missing() -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica")
    pdf.multi_cell(20, text="Ada OBI flies Q0 556, paid by 0x7bb9f53b2fcf7b8a59a26322c66bed57")
    ticket = bytes(pdf.output())
    assert missing_words(ticket, ["Ada", "Obi", "Q0 556", "0x7bb9f53b2fcf7b8a59a26322c66bed57"]) == []
    assert missing_words(ticket, ["Ada", "Tunde", "Q0 557"]) == ["Tunde", "Q0 557"]
