"""The web edge: webhooks in, signed documents out, health and metrics."""
