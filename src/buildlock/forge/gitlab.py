"""The merge request that a pipeline of GitLab is about.

The API is that of GitLab's documentation, "Notes API / Merge requests". A job token may not write notes, so it takes a
token of its own.
"""

from collections.abc import Mapping

from buildlock.errors import UsageError
from buildlock.forge.model import Request, Thread
from buildlock.forge.token import read_token


def find_thread(environ: Mapping[str, str]) -> Thread:
    """The merge request of the pipeline.

    Raises:
        UsageError: The pipeline is not that of a merge request, or has no token.
    """
    api = environ.get("CI_API_V4_URL", "").rstrip("/")
    # The project that is merged into, wherever the pipeline runs.
    project, number = environ.get("CI_MERGE_REQUEST_PROJECT_ID", ""), environ.get("CI_MERGE_REQUEST_IID", "")
    if not api or not _is_number(project) or not _is_number(number):
        raise UsageError(
            "this pipeline is about no merge request",
            hint='give the job `rules: [{ if: $CI_PIPELINE_SOURCE == "merge_request_event" }]`',
        )
    hint = "make a project access token with the scope `api`, and a masked variable of it"
    token = read_token(environ, "GITLAB_TOKEN", hint)
    notes = f"{api}/projects/{project}/merge_requests/{number}/notes"
    return Thread(
        title=f"merge request {number}",
        comments=notes,
        comment=notes,
        update="PUT",
        identity=Request(method="GET", url=f"{api}/user"),
        identity_path=("id",),
        author_path=("author", "id"),
        hint="`GITLAB_TOKEN` needs the scope `api` and the role Reporter in the project that is merged into",
        token=token,
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
