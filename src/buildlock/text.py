"""Text from outside, made fit to be shown and recorded: no control characters, no secrets, an end."""

import re

from buildlock.patterns import compile_pattern

_USERINFO = compile_pattern(r"^([^/?#]*//)[^/?#]*@")
_SSH_PASSWORD = compile_pattern(r"^((?:git\+)?ssh://[^/?#:@]+)(?::[^/?#]*)?@", re.IGNORECASE)
_CREDENTIALS = compile_pattern(r"//[^/\s`]*@")
_LONGEST_SENTENCE = 600


def printable(text: str) -> str:
    """`text` with a space for whatever controls a terminal, hides, or cannot be written as UTF-8."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def excerpt(text: str, limit: int = 200) -> str:
    r"""The beginning of `text`, printable, of at most `limit` characters.

    >>> excerpt("demo\n1.0", 6)
    'demo …'
    """
    return printable(text if len(text) <= limit else f"{text[: limit - 1]}…")


def present(sentence: str) -> str:
    r"""A sentence that quotes what it is about, for a message: nothing hidden, nothing secret, its end kept.

    >>> present("`a\x1b[2Jb` is not a name")
    '`a\\x1b[2Jb` is not a name'
    """
    sentence = mask_credentials(sentence)
    if len(sentence) > _LONGEST_SENTENCE:
        half = _LONGEST_SENTENCE // 2
        sentence = f"{sentence[:half]} … {sentence[-half:]}"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in sentence)


def mask_credentials(text: str) -> str:
    """`text` with stars for the credentials of every URL in it.

    >>> mask_credentials("`https://me:secret@torch.example/whl` is no index")
    '`https://***@torch.example/whl` is no index'
    """
    return _CREDENTIALS.sub("//***@", text)


def without_credentials(url: str) -> str:
    """The URL as it may be shown and recorded.

    >>> without_credentials("https://user:secret@pkgs.example/simple/")
    'https://pkgs.example/simple/'

    Whom a server knows by a key has a name that is no secret, and that it has to be asked with:

    >>> without_credentials("ssh://git@git.example/foo")
    'ssh://git@git.example/foo'
    """
    if _SSH_PASSWORD.match(url):
        return _SSH_PASSWORD.sub(r"\1@", url)
    return _USERINFO.sub(r"\1", url)
