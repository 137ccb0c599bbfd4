"""Asking a service with OSV's API for the advisories about packages.

`POST /v1/querybatch` gives the identifiers for each package, `GET /v1/vulns/ID` an advisory. Whether a version is
affected is decided here, as for a database in files: the service is told names, and no versions.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote as quote_url

from buildlock.audit.advisory import Advisory, InvalidAdvisoryError, parse_advisory
from buildlock.audit.advisory_json import decode
from buildlock.audit.model import Source
from buildlock.errors import AdvisoryError
from buildlock.index.http import HttpClient, Response
from buildlock.project.model import Project
from buildlock.reporting import Began
from buildlock.text import present, without_credentials
from buildlock.workflows.advisory_files import Database
from buildlock.workflows.client import open_client
from buildlock.workflows.parallel import map_parallel
from buildlock.workflows.workspace import Workspace

_OK = 200
_BATCH = 1000
"""Queries in one request: as many as the API takes."""
_MAX_REQUESTS = 100
_MAX_ADVISORIES = 20_000
_MAX_SIZE = 16 << 20
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}


def ask_service(workspace: Workspace, project: Project, url: str, names: Collection[str]) -> Database:
    """What a service knows of packages.

    Args:
        workspace: Where answers are kept, and who is told.
        project: Whose settings say how the network is reached.
        url: Of the service, above `/v1`; may carry credentials.
        names: The packages, normalised.

    Raises:
        AdvisoryError: It answers what the API does not say.
        IndexError_: It does not answer.
    """
    workspace.report(Began("Asking for advisories"))
    with open_client(workspace, *project.inputs.values()) as client:
        service = _Service(client, url)
        ids = service.list_ids(sorted(names))
        found = map_parallel(lambda each: service.ask_advisory(each, names), ids, give_up=client.close)
    advisories = tuple(advisory for advisory in found if advisory is not None)
    source = Source(
        name=present(without_credentials(url)),
        advisories=len(ids),
        newest=max((advisory.modified[:10] for advisory in advisories), default=None),
    )
    return Database(source=source, advisories=advisories)


class _Service:
    """Safe to share among threads."""

    def __init__(self, client: HttpClient, url: str) -> None:
        self._client = client
        self._url = url.rstrip("/")

    def list_ids(self, names: Sequence[str]) -> tuple[str, ...]:
        """The identifiers of all that is about these packages."""
        url = f"{self._url}/v1/querybatch"
        ids: dict[str, None] = {}
        waiting: list[Mapping[str, Any]] = [{"package": {"ecosystem": "PyPI", "name": name}} for name in names]
        for _ in range(_MAX_REQUESTS):
            if not waiting:
                return tuple(ids)
            batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
            answer = self._post(url, json.dumps({"queries": batch}).encode())
            try:
                for query, (found, token) in zip(batch, _read_batch(answer, len(batch)), strict=True):
                    ids |= dict.fromkeys(found)
                    if token is not None:
                        waiting.append({**query, "page_token": token})
            except InvalidAdvisoryError as error:
                raise _refuse(url, str(error)) from error
            if len(ids) > _MAX_ADVISORIES:
                break
        raise _refuse(url, "there is no end to what it knows")

    def ask_advisory(self, identifier: str, names: Collection[str]) -> Advisory | None:
        """An advisory, as far as it is about these packages."""
        url = f"{self._url}/v1/vulns/{quote_url(identifier, safe='')}"
        answer = self._read(url, self._client.get(url, headers={"Accept": "application/json"}, max_bytes=_MAX_SIZE))
        try:
            advisory = parse_advisory(answer, names)
        except InvalidAdvisoryError as error:
            raise _refuse(url, str(error)) from error
        if advisory is not None and advisory.id != identifier:
            raise _refuse(url, f"it is `{advisory.id}`")
        return advisory

    def _post(self, url: str, content: bytes) -> Any:
        def ask() -> Response:
            return self._client.send("POST", url, headers=_JSON, content=content, max_bytes=_MAX_SIZE)

        # A question, which changes nothing: it may be asked again.
        return self._read(url, self._client.attempt(url, ask))

    def _read(self, url: str, response: Response) -> Any:
        if response.status != _OK:
            raise _refuse(url, f"it has the status {response.status}")
        try:
            return decode(response.content)
        except InvalidAdvisoryError as error:
            raise _refuse(url, str(error)) from error


def _read_batch(answer: Any, count: int) -> Iterator[tuple[Sequence[str], str | None]]:
    """For each query the identifiers, and by which token there are more."""
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list) or len(results) != count:
        raise InvalidAdvisoryError(f"`results` is not an array of {count}")
    for position, result in enumerate(results):
        # A query that finds nothing is answered with `{}`, by some servers with null.
        found = {} if result is None else result
        entries = (found.get("vulns") or []) if isinstance(found, dict) else None
        if not isinstance(entries, list):
            raise InvalidAdvisoryError(f"`results[{position}]` is no result")
        ids = [entry["id"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
        token = found.get("next_page_token") or None
        if len(ids) != len(entries) or not isinstance(token, str | None):
            raise InvalidAdvisoryError(f"`results[{position}]` has what is no identifier or token")
        yield ids, token


def _refuse(url: str, what: str) -> AdvisoryError:
    return AdvisoryError(present(f"the answer of `{without_credentials(url)}` cannot be used: {what}"))
