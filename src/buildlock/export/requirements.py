"""A locked environment as a requirements file, for `pip install --require-hashes -r` and what reads the same."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from posixpath import dirname

from packaging.pylock import Package, PackageSdist, PackageWheel

from buildlock.export.references import check_line, format_fragment, format_path, format_repository
from buildlock.lockfile.model import FILENAME, LockedEnvironment, format_marker, is_source


def export_requirements(environment: LockedEnvironment, *, variant: str) -> str:
    """`name==version` lines, each with the hashes of its files, and options on top that say where to find them.

    pip takes its options for all packages alike: an index may answer for any of them, and the hashes decide. The
    index that serves most of the packages is `--index-url`, so that no other default is asked. A file that is on no
    index is named itself, with `--find-links`; the paths of local files are relative to the lockfile's folder.
    uv, which asks further indexes only for what the first lacks, needs `--index-strategy unsafe-best-match`.

    What comes from no index is a direct reference. What sources are built in cannot be said; the indexes that serve
    it are among the options, and a comment names the packages.

    Args:
        environment: What is locked.
        variant: Its name, for the comment on top.

    Raises:
        LockfileError: Something cannot be said in a requirements file.
    """
    options = list(_list_options(environment))
    packages = list(map(_format_package, environment.packages))
    for text in (*options, *packages):
        check_line(text)
    blocks = [list(_format_comment(environment, variant)), options, packages]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _format_comment(environment: LockedEnvironment, variant: str) -> Iterator[str]:
    package = f"{environment.source.name}` for `" if environment.source is not None else ""
    option = f"--package {environment.source.name} " if environment.source is not None else ""
    yield f"# The build environment `{package}{variant}` of `{FILENAME}`, written by"
    yield f"#   buildlock export {option}--variant {variant} --format requirements"
    yield "# It serves"
    for marker in environment.environments:
        yield f"#   {format_marker(marker)}"
    for remark, packages in (
        (
            "Built from source, by pip in environments that are not locked unless `--no-build-isolation` is given",
            filter(is_source, environment.packages),
        ),
        (
            "No files, and so without the hash that `--require-hashes` asks for",
            (package for package in environment.packages if package.vcs or package.directory),
        ),
        (
            "Folders, which uv takes beside hashes, and pip does not",
            (package for package in environment.packages if package.directory),
        ),
    ):
        if names := dict.fromkeys(package.name for package in packages):
            yield f"# {remark}: {', '.join(names)}"


def _list_options(environment: LockedEnvironment) -> Iterator[str]:
    environments = (environment, *environment.builds.values())
    packages = [package for each in environments for package in each.packages]
    served = Counter(package.index for package in packages if package.index is not None)
    indexes = sorted(served, key=lambda index: (-served[index], index))
    if not indexes:
        yield "--no-index"
    for position, index in enumerate(indexes):
        yield f"{'--extra-index-url' if position else '--index-url'} {shlex.quote(index)}"
    for location in sorted({location for package in packages for location in _list_links(package)}):
        yield f"--find-links {location}"


def _list_links(package: Package) -> Iterator[str]:
    for file in _list_files(package):
        if file.path is not None:
            yield _quote_folder(file.path)
        elif file.url is not None and package.index is None:
            yield shlex.quote(file.url)


def _list_files(package: Package) -> Sequence[PackageWheel | PackageSdist]:
    return [*(package.wheels or ()), *([package.sdist] if package.sdist is not None else [])]


def _quote_folder(path: str) -> str:
    folder = dirname(path)
    if not folder.startswith("."):
        folder = f"./{folder}"  # no folder looks like an option so
    return shlex.quote(folder)


def _format_package(package: Package) -> str:
    # With the space in front of it, which ends a URL.
    marker = f" ; {format_marker(package.marker)}" if package.marker is not None else ""
    files = [package.archive] if package.archive is not None else _list_files(package)
    digests = sorted({file.hashes["sha256"] for file in files})
    requirement = f"{_format_requirement(package)}{marker}"
    return " \\\n    ".join([requirement, *(f"--hash=sha256:{digest}" for digest in digests)])


def _format_requirement(package: Package) -> str:
    if (archive := package.archive) is not None:
        url = archive.url or format_path(archive.path or "")
        return f"{package.name} @ {url}{format_fragment(subdirectory=archive.subdirectory)}"
    if (vcs := package.vcs) is not None:
        location = format_repository(package.name, vcs.url, vcs.path, vcs.commit_id)
        return f"{package.name} @ {location}{format_fragment(subdirectory=vcs.subdirectory)}"
    if (directory := package.directory) is not None:
        path = "/".join(filter(None, (directory.path, directory.subdirectory)))
        return f"{package.name} @ {format_path(path)}"
    return f"{package.name}=={package.version}"
