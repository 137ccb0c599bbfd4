"""How the page of a package is asked for."""

from urllib.parse import urlsplit, urlunsplit

from packaging.utils import NormalizedName

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""What we ask an index for (PEP 691, version and format selection)."""


def project_url(index_url: str, name: NormalizedName) -> str:
    """The page of a package (PEP 503).

    >>> project_url("https://download.pytorch.org/whl/cu124", "torch")
    'https://download.pytorch.org/whl/cu124/torch/'
    """
    parts = urlsplit(index_url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}/", fragment=""))
