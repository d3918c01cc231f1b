"""One message of a traveller, made ready for a stage: what was chosen, or what was said and what it means."""

from dataclasses import dataclass, replace

from bot.channels.model import Text
from bot.channels.text import text
from bot.conversation.context import Context
from bot.conversation.effects import Effect, Option, Say, Step
from bot.conversation.events import Pressed, Said
from bot.conversation.session import Choice, Session
from bot.conversation.understanding import Intent, Understanding, understand

_LONGEST_NUMBER = 3  # digits; a message of thousands of them is no choice, and Python refuses to read it


@dataclass(frozen=True, slots=True)
class Turn:
    """``action`` of the button that was chosen (pressed, by number or by its words), or the ``words`` said."""

    action: str | None
    words: str
    understood: Understanding

    def wants(self, intent: Intent) -> bool:
        return intent in self.understood.intents

    def only(self, intent: Intent) -> bool:
        """It is all that was said: no slot beside it."""
        return self.wants(intent) and not self.understood.found

    def argument(self, prefix: str) -> str | None:
        """``"3"`` for the action ``offer:3`` and the prefix ``offer:``."""
        if self.action is None or not self.action.startswith(prefix):
            return None
        return self.action.removeprefix(prefix)


def read_turn(session: Session, event: Said | Pressed, context: Context) -> Turn | None:
    """What the traveller's message is about; None for a button that is no longer on offer.

    A button whose action is ``say:<words>`` means just these words.
    """
    action = _action(session, event)
    if action is None and isinstance(event, Pressed):
        return None
    words = event.text.strip() if isinstance(event, Said) else ""
    if action is not None and action.startswith("say:"):
        words, action = action.removeprefix("say:"), None
    understood = understand(
        "" if action else words,
        today=context.today,
        gazetteer=context.gazetteer,
        expecting=session.asking,
        known=session.draft,
    )
    return Turn(action, words, understood)


def _action(session: Session, event: Said | Pressed) -> str | None:
    if isinstance(event, Pressed):
        chosen = next((choice for choice in session.choices if choice.token == event.token), None)
        return _without_generation(chosen) if chosen else None
    said = event.text.strip().rstrip(".").casefold()
    for choice in session.choices:
        if choice.label.casefold() == said:
            return _without_generation(choice)
    labels_count = any(choice.label.isdigit() for choice in session.choices)
    is_number = said.isdecimal() and len(said) <= _LONGEST_NUMBER
    if is_number and not labels_count and 1 <= int(said) <= len(session.choices):
        return _without_generation(session.choices[int(said) - 1])
    return None


def _without_generation(choice: Choice) -> str:
    return choice.token.rpartition(".")[0]


def with_choices(step: Step, *, asks: bool) -> Step:
    """The step with the session remembering the buttons that are open now, under a new generation.

    Where it shows none, those of before are closed if it ``asks`` something else: a number must answer what was asked.
    """
    options = [option for effect in step.effects if isinstance(effect, Say) for row in effect.options for option in row]
    if not options:
        return replace(step, session=replace(step.session, choices=())) if asks else step
    generation = step.session.generation + 1
    choices = tuple(Choice(token(option, generation), option.label) for option in options)
    return replace(step, session=replace(step.session, generation=generation, choices=choices))


def token(option: Option, generation: int) -> str:
    """What comes back when the button is pressed: the action, and which set of buttons it belongs to."""
    return f"{option.action}.{generation}"


def say(words: str | Text, *rows: tuple[Option, ...], hint: str | None = None, slot: str | None = None) -> Say:
    """A message with rows of buttons."""
    return Say(text(words), tuple(row for row in rows if row), hint, slot)


def ahead(step: Step, *effects: Effect) -> Step:
    """The step with something said first."""
    return replace(step, effects=(*effects, *step.effects))
