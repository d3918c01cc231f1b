"""``python -m bot`` is ``layover``."""

from bot.cli import main

main()
