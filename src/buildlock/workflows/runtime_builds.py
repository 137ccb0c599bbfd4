"""What a runtime lock would have to build: each package without a wheel that some target could use."""

from collections.abc import Sequence

from packaging.requirements import Requirement
from packaging.utils import NormalizedName

from buildlock.errors import RuntimeLockError
from buildlock.project.model import BuildInputs, BuildRequirement, Project
from buildlock.reporting import Reporter, Warned
from buildlock.runtime.marker_values import values_of
from buildlock.runtime.model import ListedRuntimeLock, RuntimePackage, describe_runtime, refuse_two
from buildlock.targets import Target
from buildlock.workflows.choosing import OutsideSource
from buildlock.workflows.runtime import list_fitting, pin


def list_unbuilt(
    lock: ListedRuntimeLock, project: Project, inputs: BuildInputs, targets: Sequence[Target], report: Reporter
) -> tuple[OutsideSource, ...]:
    """The packages that a runtime lock installs for a variant and that some target has to build, by name.

    Args:
        lock: What installs them.
        project: What it configures has to agree.
        inputs: The variant's.
        targets: What is locked for.
        report: Warned of what comes from no index, and is left out.

    Raises:
        InvalidProjectError: The runtime lock is invalid.
        RuntimeLockError: It installs two versions of a package, or another one than is configured.
    """
    found: dict[NormalizedName, tuple[RuntimePackage, list[Target]]] = {}
    elsewhere: dict[NormalizedName, str] = {}
    settings = inputs.settings
    for target in targets:
        installed = lock.list_installed(inputs.variant, values_of(target.marker))
        elsewhere.update(installed.elsewhere)
        for package in installed.packages:
            refused = settings.no_binary or package.name in settings.no_binary_package
            if package.sdist is None or (not refused and list_fitting(package, target)):
                continue
            known, building = found.setdefault(package.name, (package, []))
            versions = dict.fromkeys((str(known.version), str(package.version)))
            refuse_two(list(versions), package.name, lock.label, inputs.variant)
            building.append(target)
    for name, kind in sorted(elsewhere.items()):
        report(
            Warned(
                f"`{lock.place}` installs `{name}`{describe_runtime(inputs.variant)} from a `{kind}` source, and only "
                "what comes from an index is locked so: it is left out",
                hint=f'name its place: `buildlock lock --package "{name} @ URL"`',
            )
        )
    return tuple(_describe(lock, project, *found[name]) for name in sorted(found))


def _describe(
    lock: ListedRuntimeLock, project: Project, package: RuntimePackage, targets: Sequence[Target]
) -> OutsideSource:
    configured = project.packages.get(package.name)
    specifier = configured.requirement.requirement.specifier if configured is not None else None
    if configured is not None and specifier is not None and not specifier.contains(package.version, prereleases=True):
        raise RuntimeLockError(
            f"`{lock.place}` installs `{package.name}` {package.version}, and {configured.origin} says `{specifier}`"
        )
    requirement = Requirement(f"{package.name}{pin(package.version)}")
    return OutsideSource(
        requirement=BuildRequirement(requirement=requirement, origin=f"`{lock.place}`"),
        targets=tuple(targets),
        file=package.sdist,
    )
