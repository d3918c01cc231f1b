"""The papers a traveller gets: the ticket as a PDF, and QR codes for payment links."""
