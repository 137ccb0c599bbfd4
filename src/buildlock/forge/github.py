"""The pull request that a run of GitHub Actions is about.

The API is that of GitHub's REST documentation, "Issues / Comments": the comments of a pull request are those of the
issue it is. Whom a token belongs to only GraphQL tells an Actions token (`GET /user` is not for it).
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from buildlock.errors import UsageError
from buildlock.forge.model import Request, Thread
from buildlock.forge.token import read_token

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_MAX_EVENT = 32 << 20
"""Bytes; GitHub's events have at most 25 MB."""


def find_thread(environ: Mapping[str, str]) -> Thread:
    """The pull request of the event that started the run.

    Raises:
        UsageError: The run is not about a pull request, or has no token.
    """
    api = environ.get("GITHUB_API_URL", "").rstrip("/")
    graphql = environ.get("GITHUB_GRAPHQL_URL", "")
    repository = environ.get("GITHUB_REPOSITORY", "")
    if not api or not graphql or not _REPOSITORY.fullmatch(repository):
        raise UsageError(
            "`GITHUB_API_URL`, `GITHUB_GRAPHQL_URL` and `GITHUB_REPOSITORY` are not those of a run of GitHub"
        )
    number = _read_number(environ.get("GITHUB_EVENT_PATH", ""))
    token = read_token(environ, "GITHUB_TOKEN", "give the step `env: { GITHUB_TOKEN: ${{ github.token }} }`")
    issues = f"{api}/repos/{repository}/issues"
    return Thread(
        title=f"pull request {number} of {repository}",
        comments=f"{issues}/{number}/comments",
        comment=f"{issues}/comments",
        update="PATCH",
        identity=Request(method="POST", url=graphql, content={"query": "{viewer{login}}"}),
        identity_path=("data", "viewer", "login"),
        author_path=("user", "login"),
        hint="the job needs `permissions: { pull-requests: write }`, which a `pull_request` run of a fork never has",
        token=token,
    )


def _read_number(path: str) -> int:
    try:
        with Path(path).open("rb") as file:
            event = json.loads(file.read(_MAX_EVENT))
        number = event["pull_request"]["number"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageError("the event of this run is about no pull request") from error
    if type(number) is not int or number < 1:
        raise UsageError("the event of this run names no pull request")
    return number
