"""Text from outside, made fit to be shown and stored."""


def printable(text: str) -> str:
    """`text` with a space for whatever controls a terminal, hides, or cannot be written as UTF-8."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
