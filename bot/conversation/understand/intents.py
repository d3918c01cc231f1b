"""What a message wants apart from the slots of a trip: yes, no, a choice, more, back, help, a way to pay.

Whole words only: "no" is not in "another" or "November", and "no idea" is not a no.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.conversation.understand.lexicon import Kind
from bot.conversation.understand.model import Intent
from bot.conversation.understand.tokens import Lexeme

_LARGEST_CHOICE = 99
_MOST_WORDS = 12  # of a message that is one wish

# Where the message is nothing else, but for polite words and signs.
_WHOLE = {
    Kind.ASSENT: Intent.YES,
    Kind.SHOW_MORE: Intent.MORE,
    Kind.FASTEST: Intent.FASTEST,
    Kind.CHEAPEST: Intent.CHEAPEST,
    Kind.BACK: Intent.BACK,
    Kind.GREETING: Intent.GREETING,
    Kind.THANKS: Intent.THANKS,
    Kind.PAY_CARD: Intent.PAY_CARD,
    Kind.PAY_USDC: Intent.PAY_USDC,
    Kind.PAY_ONCHAIN: Intent.PAY_ONCHAIN,
    Kind.CANCEL: Intent.CANCEL,
    Kind.HELP: Intent.HELP,
    Kind.START_OVER: Intent.START_OVER,
    Kind.CHANGE: Intent.CHANGE,
}
# Where the message starts with it and goes on with nothing but words of no meaning: "cancel my booking".
_LEADING = {
    Kind.CANCEL: Intent.CANCEL,
    Kind.HELP: Intent.HELP,
    Kind.START_OVER: Intent.START_OVER,
    Kind.FASTEST: Intent.FASTEST,
    Kind.CHEAPEST: Intent.CHEAPEST,
}
# Wherever it stands.
_ANYWHERE = {Kind.CHANGE: Intent.CHANGE, Kind.CHEAPEST: Intent.CHEAPEST, Kind.FASTEST: Intent.FASTEST}
_SIGNS = {Kind.DASH, Kind.SLASH, Kind.DOT, Kind.COMMA, Kind.COLON, Kind.STOP, Kind.OPEN, Kind.CLOSE, Kind.PLUS}
_FILLERS = (Kind.POLITE, Kind.THE, Kind.A, Kind.MY, Kind.SELF, Kind.WITH, Kind.ON, Kind.FOR, Kind.TO, Kind.THANKS)


@dataclass(frozen=True, slots=True)
class Wish:
    intents: frozenset[Intent]
    choice: int | None = None


def read_intents(line: Sequence[Lexeme], has_slots: bool) -> Wish:
    """``has_slots``: the message also says something of the trip."""
    words = [lexeme for lexeme in line if not _SIGNS.issuperset(lexeme.meanings) or lexeme.is_unknown_word]
    found: set[Intent] = set()
    start = 0
    while start < len(words) and words[start].has(Kind.GREETING):
        found.add(Intent.GREETING)
        start += 1
    rest = words[start:]
    if rest and rest[0].has(Kind.YES):
        found.add(Intent.YES)
    elif rest and rest[0].has(Kind.NO) and _denies(line, rest[0]):
        found.add(Intent.NO)
    if not has_slots:
        found.update(_whole(rest) or (_whole(rest[1:]) if found & {Intent.YES, Intent.NO} else ()))
        choice = _choice(rest)
        if choice is not None:
            return Wish(frozenset({*found, Intent.CHOOSE} - {Intent.NO}), choice)
    found.update(intent for kind, intent in _ANYWHERE.items() if any(lexeme.has(kind) for lexeme in rest))
    return Wish(frozenset(found))


def _denies(line: Sequence[Lexeme], no: Lexeme) -> bool:
    """Whether "no" answers, rather than saying that there is none of something."""
    at = next(index for index, lexeme in enumerate(line) if lexeme is no)
    following = line[at + 1] if at + 1 < len(line) else None
    if following is None or not following.is_word:
        return following is None or not following.has(Kind.DIGITS)
    return following.has(Kind.POLITE, Kind.THANKS, Kind.LEAVE, Kind.RETURN, Kind.CHANGE, Kind.FROM, Kind.TO, Kind.NO)


def _whole(words: Sequence[Lexeme]) -> set[Intent]:
    """Every intent that the message, without polite words, is one phrase of."""
    if len(words) > _MOST_WORDS:
        return set()
    for at, lexeme in enumerate(words):
        others = [*words[:at], *words[at + 1 :]]
        intents = {intent for kind, intent in _WHOLE.items() if lexeme.has(kind)}
        if intents and all(other.has(*_FILLERS) or other.has(*_same(lexeme)) for other in others):
            return intents
        leading = {intent for kind, intent in _LEADING.items() if lexeme.has(kind)}
        if leading and all(other.has(*_FILLERS) for other in words[:at]) and _idle(words[at + 1 :]):
            return leading
    return set()


def _same(lexeme: Lexeme) -> list[Kind]:
    """``pay by credit card, visa``: two words for one intent."""
    return [kind for kind in _WHOLE if lexeme.has(kind)]


def _idle(words: Sequence[Lexeme]) -> bool:
    return all(word.has(*_FILLERS, Kind.NOISE, Kind.SLOT, Kind.PERSON) for word in words)


def _choice(words: Sequence[Lexeme]) -> int | None:
    """``2``, ``option 3``, ``the second one``."""
    numbers = [word for word in words if word.has(Kind.DIGITS, Kind.NUMBER, Kind.ORDINAL)]
    if len(numbers) > 1:  # "the second one": "one" belongs to it
        numbers = [word for word in numbers if not word.has(Kind.ONE)]
    if len(numbers) != 1:
        return None
    others = [word for word in words if word is not numbers[0]]
    if not all(word.has(*_FILLERS, Kind.CHOICE, Kind.ONE, Kind.YES) for word in others):
        return None
    meanings = numbers[0].meanings
    value = meanings.get(Kind.DIGITS, meanings.get(Kind.NUMBER, meanings.get(Kind.ORDINAL)))
    return value if isinstance(value, int) and 1 <= value <= _LARGEST_CHOICE else None
