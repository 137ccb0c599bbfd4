"""A locked environment as a requirements file, for `pip install --require-hashes -r` and what reads the same."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from posixpath import dirname

from packaging.pylock import Package, PackageWheel

from buildlock.errors import LockfileError
from buildlock.lockfile.model import FILENAME, LockedEnvironment, format_marker

# What pip reads as a variable or a comment, whether it is quoted or not.
_SPECIAL = re.compile(r"\$\{|\s#")


def export_requirements(environment: LockedEnvironment, *, variant: str) -> str:
    """`name==version` lines, each with the hashes of its files, and options on top that say where to find them.

    pip takes its options for all packages alike: an index may answer for any of them, and the hashes decide. The
    index that serves most of the packages is `--index-url`, so that no other default is asked. A file that is on no
    index is named itself, with `--find-links`; the paths of local files are relative to the lockfile's folder.
    uv, which asks further indexes only for what the first lacks, needs `--index-strategy unsafe-best-match`.

    Args:
        environment: What is locked.
        variant: Its name, for the comment on top.

    Raises:
        LockfileError: Something cannot be said in a requirements file.
    """
    options = list(_list_options(environment))
    packages = list(map(_format_package, environment.packages))
    for text in (*options, *packages):
        if _SPECIAL.search(text):
            raise LockfileError(
                f"`{text.splitlines()[0]}` cannot be said in a requirements file: pip sees a variable or a comment",
                hint="export a `pylock` instead",
            )
    blocks = [list(_format_comment(environment, variant)), options, packages]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _format_comment(environment: LockedEnvironment, variant: str) -> Iterator[str]:
    yield f"# The build environment `{variant}` of `{FILENAME}`, written by"
    yield f"#   buildlock export --variant {variant} --format requirements"
    yield "# It serves"
    for marker in environment.environments:
        yield f"#   {format_marker(marker)}"


def _list_options(environment: LockedEnvironment) -> Iterator[str]:
    served = Counter(package.index for package in environment.packages if package.index is not None)
    indexes = sorted(served, key=lambda index: (-served[index], index))
    if not indexes:
        yield "--no-index"
    for position, index in enumerate(indexes):
        yield f"{'--extra-index-url' if position else '--index-url'} {shlex.quote(index)}"
    for location in sorted({location for package in environment.packages for location in _list_links(package)}):
        yield f"--find-links {location}"


def _list_links(package: Package) -> Iterator[str]:
    for wheel in package.wheels or ():
        if wheel.path is not None:
            yield _quote_folder(wheel)
        elif wheel.url is not None and package.index is None:
            yield shlex.quote(wheel.url)


def _quote_folder(wheel: PackageWheel) -> str:
    folder = dirname(wheel.path or "")
    if not folder.startswith("."):
        folder = f"./{folder}"  # no folder looks like an option so
    return shlex.quote(folder)


def _format_package(package: Package) -> str:
    marker = f" ; {format_marker(package.marker)}" if package.marker is not None else ""
    digests = sorted({wheel.hashes["sha256"] for wheel in package.wheels or ()})
    requirement = f"{package.name}=={package.version}{marker}"
    return " \\\n    ".join([requirement, *(f"--hash=sha256:{digest}" for digest in digests)])
