"""A code host's API, as far as the comments of one pull request go."""

from collections.abc import Mapping
from typing import Literal

from buildlock.values import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked of an API."""

    method: Literal["GET", "POST", "PATCH", "PUT"]
    url: str
    content: Mapping[str, object] | None = None
    """Sent as JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Thread:
    """The comments of one pull request, and how its code host wants to be asked for them."""

    title: str
    """What it is, for people: `pull request 7 of acme/kernels`."""
    comments: str
    """The URL that lists comments, and that a new one is posted to."""
    comment: str
    """The URL of a comment without its last segment, the comment's number."""
    update: Literal["PATCH", "PUT"]
    """The method that changes a comment."""
    identity: Request
    """Asks whom the token belongs to."""
    identity_path: tuple[str, ...]
    """Where the answer has it."""
    author_path: tuple[str, ...]
    """Where a comment has the same of its author."""
    hint: str
    """What the token must be allowed."""
    token: str = field(repr=False)
