"""The rooms of a conversation. Each stage has a ``prompt`` (where we are) and an ``answer`` (to what was said)."""
