"""The one exception whose text is meant for the user."""

import unicodedata

LONGEST = 1200
"""Characters of a sentence: what repeats a hostile value in full helps nobody."""
ENDS = 400
HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Kinds of characters that break lines, turn the direction of writing or cannot be encoded."""


class BadInput(ValueError):
    """What a user gave is wrong; `str(error)` is one sentence naming the file, the value and the fix.

    It may hold parts of a hostile file, so it is kept to one line of at most `LONGEST` characters.
    """

    def __init__(self, text: object = "") -> None:
        super().__init__(one_line(str(text)))


def one_line(text: str) -> str:
    """The text with hidden characters escaped, and shortened in its middle where it is long."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST - ENDS]} … {text[-ENDS + 3 :]}"
    if text.isprintable():
        return text
    shown = (repr(mark)[1:-1] if unicodedata.category(mark) in HIDDEN else mark for mark in text)
    made = "".join(shown)
    return made if len(made) <= LONGEST else one_line(made)
