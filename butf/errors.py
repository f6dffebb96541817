"""The one exception whose text is meant for the user."""


class BadInput(ValueError):
    """What a user gave is wrong; `str(error)` is one sentence naming the file, the value and the fix."""
