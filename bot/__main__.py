"""``python -m bot`` is ``layover``; alone it is ``layover run``."""

import sys

from bot.cli import main

main(sys.argv[1:] or ["run"])
