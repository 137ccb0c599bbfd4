"""A locked environment as constraints: `name @ URL#sha256=… ; marker`, for several targets in one file."""

from collections.abc import Mapping, Sequence

from packaging.markers import Marker
from packaging.utils import NormalizedName

from buildlock.errors import LockfileError
from buildlock.export.references import check_line, format_reference
from buildlock.export.served import Served
from buildlock.lockfile.markers import MarkerWriter
from buildlock.lockfile.model import FILENAME, format_marker
from buildlock.lockfile.select import LockedArtifact


def export_constraints(served: Sequence[Served], *, variant: str, package: NormalizedName | None = None) -> str:
    """The text of a file for `--build-constraint` of pip and uv, and `PIP_CONSTRAINT` of build.

    Paths of local files are relative to the lockfile's folder, from which the tool has to be run.

    Raises:
        LockfileError: Of what `list_constraints` tells, or a line means something else to pip.
    """
    lines = list_constraints(served)
    for line in lines:
        check_line(line)
    subject = f"{package}` for `" if package is not None else ""
    option = f"--package {package} " if package is not None else ""
    head = [
        f"# The build environment `{subject}{variant}` of `{FILENAME}`, written by",
        f"#   buildlock export {option}--variant {variant} --format constraints",
        "# It serves",
        *(f"#   {each}" for each in served),
    ]
    built = {package.name for each in served for package in each.packages if not isinstance(package, LockedArtifact)}
    if built:
        head.append(
            f"# Built from source, which pip and uv do in environments that are not locked: {', '.join(sorted(built))}"
        )
    return "\n".join([*head, "", *lines]) + "\n"


def list_constraints(served: Sequence[Served]) -> tuple[str, ...]:
    """A line for each file, with the marker of the targets that get it; sorted by package.

    Raises:
        LockfileError: Two targets that no marker tells apart get different files, or a file cannot be named.
    """
    classes = _group(served)
    writer = MarkerWriter([members[0].target for members in classes.values()])
    chosen: dict[NormalizedName, dict[str, list[int]]] = {}
    clashes: dict[NormalizedName, tuple[Served, Served]] = {}
    for position, members in enumerate(classes.values()):
        first = {package.name: format_reference(package) for package in members[0].packages}
        for member in members[1:]:
            other = {package.name: format_reference(package) for package in member.packages}
            for name in first.keys() | other.keys():
                if first.get(name) != other.get(name):
                    clashes.setdefault(name, (members[0], member))
        for name, reference in first.items():
            chosen.setdefault(name, {}).setdefault(reference, []).append(position)
    if clashes:
        raise _describe(clashes)
    return tuple(
        f"{reference}{_format_condition(writer.distinguish(positions))}"
        for name in sorted(chosen)
        for reference, positions in sorted(chosen[name].items(), key=lambda item: item[1])
    )


def _group(served: Sequence[Served]) -> Mapping[str, list[Served]]:
    """The targets by what a marker can say of them."""
    classes: dict[str, list[Served]] = {}
    for each in served:
        classes.setdefault(str(each.target.marker), []).append(each)
    return classes


def _format_condition(marker: Marker | None) -> str:
    return "" if marker is None else f" ; {format_marker(marker)}"


def _describe(clashes: Mapping[NormalizedName, tuple[Served, Served]]) -> LockfileError:
    lines = "\n".join(f"  `{name}` for {one} and for {other}" for name, (one, other) in sorted(clashes.items()))
    pairs = {member for pair in clashes.values() for member in pair}
    platforms = {member.platform for member in pairs}
    option = "--platform" if len(platforms) > 1 else "--python"
    return LockfileError(
        "no marker tells these targets apart, and they get different files, of which pip and uv take one:\n" + lines,
        hint=f"export constraints for each, with `{option} NAME`, or have the frontend build by buildlock's backend",
    )
