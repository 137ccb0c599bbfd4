"""The client that indexes and servers are asked with."""

from buildlock.index.http import HttpClient
from buildlock.index.urls import is_url
from buildlock.project.model import BuildInputs
from buildlock.project.network import merge_networks
from buildlock.workflows.workspace import Workspace


def open_client(workspace: Workspace, *variants: BuildInputs) -> HttpClient:
    """A client that has the credentials of the indexes, and of the files, which variants may ask for."""
    client = HttpClient(
        cache_dir=workspace.cache_dir,
        report=workspace.report,
        network=merge_networks([inputs.settings.network for inputs in variants]),
        offline=any(inputs.offline for inputs in variants),
        kept_since=workspace.kept_since,
    )
    for inputs in variants:
        for index in inputs.indexes:
            client.remember_credentials(index.url, index.authenticate)
        for link in filter(is_url, inputs.settings.find_links):
            client.remember_credentials(link)
        for rule in (rule for rules in inputs.sources.values() for rule in rules):
            if rule.direct is not None and rule.direct.kind == "archive":
                client.remember_credentials(rule.direct.url)
        for mirror in inputs.mirrors:
            client.remember_credentials(mirror.url)
    return client
