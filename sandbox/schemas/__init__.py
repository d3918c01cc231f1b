"""Readers of the published API schemas."""
