"""Telegram: updates in by long polling, messages out over the Bot API.

``client.py`` alone imports aiogram, which takes seconds: import it where the channel is set up, not before.
"""
