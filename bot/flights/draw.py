"""Chance that never changes: the same words give the same number in every process and Python version."""

from hashlib import blake2b


def draw(below: int, *words: object) -> int:
    """A number from 0 to ``below`` - 1, settled by the words alone. For made-up schedules, never for secrets."""
    digest = blake2b("|".join(map(str, words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % below
