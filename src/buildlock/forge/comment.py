"""The one comment: found by its marker and its author, changed or written."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from buildlock.errors import ForgeError
from buildlock.forge.model import Request, Thread
from buildlock.index.failures import TransientError, read_retry_after
from buildlock.index.http import HttpClient, Response
from buildlock.text import excerpt

Outcome: TypeAlias = Literal["created", "updated", "unchanged", "none"]

_PAGE = 100
"""Comments that are asked for at once: the most that GitHub and GitLab give."""
_MAX_PAGES = 100
_FORBIDDEN = 403


def put_comment(client: HttpClient, thread: Thread, body: str, *, marker: str, create: bool) -> Outcome:
    """Let the thread have this comment, in place of the one that it has.

    The comment is the first that begins with the marker and was written by whom the token belongs to; what others
    wrote is never changed, whatever it begins with.

    Args:
        client: Asks.
        thread: Where.
        body: The comment, which begins with `marker`.
        marker: What such a comment begins with.
        create: Whether to write one where there is none.

    Raises:
        ForgeError: The code host refuses, or answers what its documentation does not know.
        UnavailableError: No answer.
    """
    # All of it again where a part failed: a comment may have been written although the answer was lost.
    return client.attempt(thread.comments, lambda: _put_once(client, thread, body, marker, create=create))


def _put_once(client: HttpClient, thread: Thread, body: str, marker: str, *, create: bool) -> Outcome:
    own = _dig(_ask(client, thread, thread.identity)[0], thread.identity_path)
    if not isinstance(own, (str, int)):
        raise ForgeError(f"`{thread.identity.url}` does not say whom the token belongs to", hint=thread.hint)
    for comment in _list_comments(client, thread):
        text, number = comment.get("body"), comment.get("id")
        if _dig(comment, thread.author_path) != own or not isinstance(text, str) or not text.startswith(marker):
            continue
        if type(number) is not int:
            raise ForgeError(f"`{thread.comments}` has a comment without a number")
        # Code hosts differ in what they make of line ends.
        if text.split() == body.split():
            return "unchanged"
        _ask(client, thread, Request(method=thread.update, url=f"{thread.comment}/{number}", content={"body": body}))
        return "updated"
    if not create:
        return "none"
    _ask(client, thread, Request(method="POST", url=thread.comments, content={"body": body}))
    return "created"


def _list_comments(client: HttpClient, thread: Thread) -> Iterator[Mapping[str, object]]:
    for page in range(1, _MAX_PAGES + 1):
        url = f"{thread.comments}?per_page={_PAGE}&page={page}"
        found, response = _ask(client, thread, Request(method="GET", url=url))
        if not isinstance(found, list):
            raise ForgeError(f"`{thread.comments}` does not list comments")
        yield from (comment for comment in found if isinstance(comment, dict))
        # RFC 8288. Where the link leads is not asked for: the token goes nowhere else.
        if 'rel="next"' not in response.headers.get("link", ""):
            return
    raise ForgeError(f"{thread.title} has more than {_MAX_PAGES * _PAGE} comments")


def _ask(client: HttpClient, thread: Thread, request: Request) -> tuple[object, Response]:
    """What the API answers, parsed."""
    headers = {"Accept": "application/json", "Authorization": f"Bearer {thread.token}"}
    content = None
    if request.content is not None:
        headers["Content-Type"] = "application/json"
        content = json.dumps(request.content).encode()
    response = client.send(request.method, request.url, headers=headers, content=content)
    answer = _parse(response)
    if response.status >= 400:  # noqa: PLR2004
        said = _dig(answer, ("message",))
        reason = f"{response.status}{f' {excerpt(said)}' if isinstance(said, str) else ''}"
        # GitHub's limits, "Best practices for using the REST API": 403 as well as 429.
        if response.status == _FORBIDDEN and _is_limited(response):
            raise TransientError(
                f"it answered {reason}", retry_after=read_retry_after(response.headers.get("retry-after", ""))
            )
        raise ForgeError(f"{thread.title} cannot be commented on: `{response.url}` answered {reason}", hint=thread.hint)
    return answer, response


def _is_limited(response: Response) -> bool:
    return "retry-after" in response.headers or response.headers.get("x-ratelimit-remaining") == "0"


def _parse(response: Response) -> object:
    try:
        value: object = json.loads(response.content)
    except (ValueError, RecursionError) as error:
        if response.status >= 400:  # noqa: PLR2004
            return None  # the status says it
        raise ForgeError(f"`{response.url}` does not answer with JSON") from error
    return value


def _dig(value: object, path: Sequence[str]) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
