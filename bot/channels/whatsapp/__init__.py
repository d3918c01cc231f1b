"""WhatsApp through Twilio: signed webhooks in, REST messages out, the 24-hour window between them."""
