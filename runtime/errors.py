"""The root of every error Layover raises on purpose."""


class LayoverError(Exception):
    """Something a person or a caller can act on.

    Each failure is a class of its own below this one, carries the objects it is about, and its message says
    what is wrong and what to do. It never holds a secret.
    """
