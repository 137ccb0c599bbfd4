"""`lock`: resolve the build environments of a project's variants and write them down."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.pylock import Package
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.environment.interpreter import Interpreter, find_interpreter
from buildlock.errors import BackendError, MissingLockError, StaleLockError, UncoveredTargetError, UsageError
from buildlock.frontend.backend import PRODUCTS
from buildlock.index.catalogue import Catalogue
from buildlock.lockfile.changes import Change, compare_environments
from buildlock.lockfile.freshness import inputs_of, is_of_project
from buildlock.lockfile.markers import MarkerWriter
from buildlock.lockfile.model import LockedEnvironment, Lockfile
from buildlock.lockfile.reader import parse_lockfile, read_content
from buildlock.lockfile.select import LockedArtifact, find_versions, select, select_packages
from buildlock.lockfile.writer import drop_variant, save, write_variant
from buildlock.metadata.reader import MetadataReader
from buildlock.project.contradictions import check_contradictions, check_overrides
from buildlock.project.derivation import add_requirements
from buildlock.project.model import BuildInputs, BuildRequirement, Overrides, Project
from buildlock.project.requirements import name_of
from buildlock.reporting import Began, Noted, Warned
from buildlock.resolver.request import Resolution, ResolutionRequest, Universe
from buildlock.resolver.resolve import resolve_all
from buildlock.runtime.discovery import RuntimeLocks
from buildlock.runtime.installed import InstalledEnvironment
from buildlock.targets import Target, TargetName, choose_names
from buildlock.workflows.backend import open_backend
from buildlock.workflows.interpreters import find_targets, list_interpreters
from buildlock.workflows.pinning import Pinner
from buildlock.workflows.preparation import require_wheels
from buildlock.workflows.runtime import RuntimeMatches, find_matches
from buildlock.workflows.universe import IndexUniverse
from buildlock.workflows.workspace import Workspace, choose_variant


@dataclass(frozen=True, kw_only=True, slots=True)
class LockOptions:
    """What `lock` is asked for."""

    variants: tuple[str, ...] = ()
    """None: the one that `choose_variant` gives."""
    all_variants: bool = False
    pythons: tuple[str, ...] = ()
    """The Pythons to lock for, each a version, a name or a path; those of the project by default, else the one that
    runs buildlock."""
    platforms: tuple[str, ...] = ()
    """The platforms to lock for, by uv's names; those of the project by default, else this one."""
    upgrade: bool = False
    """Forget every pin of the lock so far."""
    upgrade_packages: frozenset[NormalizedName] = frozenset()
    """Forget the pins of these."""
    dynamic: bool = True
    """Ask the backend what else it requires: it runs the project's code in the environment that was just locked."""
    check: bool = False
    """Write nothing, and fail where something would be written."""
    dry_run: bool = False
    """Write nothing."""
    runtime_environment: Path | None = None
    """What `match-runtime` takes its versions from, in place of the project's runtime lock."""
    overrides: Overrides = field(default_factory=Overrides)


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedVariant:
    """What locking one variant came to."""

    name: str
    environment: LockedEnvironment
    changes: tuple[Change, ...]
    """Against the lock so far, by package."""
    touched: bool
    """Whether the variant's section of the lockfile differs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Locked:
    """What `lock` did, or would do."""

    path: Path
    variants: tuple[LockedVariant, ...]
    dropped: tuple[str, ...]
    """Variants that the project no longer has; locking all of them leaves these out."""
    written: bool


def lock(workspace: Workspace, options: LockOptions) -> Locked:
    """Resolve and lock the chosen variants; every other variant keeps its bytes.

    All are resolved before the file is written, atomically; where one fails, nothing is written.

    Raises:
        ProjectError: The project's configuration is invalid or contradicts itself.
        IndexError_: An index is down, or serves what it should not.
        NoSolutionError: Nothing satisfies the requirements.
        BackendError: The backend failed when it was asked for its dynamic requirements.
        LockfileError: The lockfile as it is cannot be read.
        StaleLockError: `check` was asked for, and the lock would change.
    """
    project = workspace.read_project(options.overrides)
    names = _choose_variants(project, options, workspace)
    targets = {name: _choose_targets(project.inputs[name], options, workspace.environ) for name in names}
    matches = _match_runtime(project, options, targets)
    inputs = {name: matches[name].bind() for name in names}
    for each in inputs.values():
        check_contradictions(each)
    with workspace.alone():
        before, old = _read_old(workspace.lock_path)
        text, variants = before, []
        for name in names:
            locker = _VariantLocker(workspace, project, inputs[name], matches[name], *targets[name], options)
            environment = locker.lock(old.variants.get(name))
            previous, text = text, write_variant(text, name, environment)
            known = old.variants.get(name)
            variants.append(
                LockedVariant(
                    name=name,
                    environment=environment,
                    changes=compare_environments(known, environment),
                    touched=text != previous,
                )
            )
        dropped = tuple(name for name in old.variants if name not in project.variants) if options.all_variants else ()
        for name in dropped:
            text = drop_variant(text or "", name)
        differs = text != before
        if options.check and differs:
            touched = ", ".join([*(f"`{v.name}`" for v in variants if v.touched), *(f"`{name}`" for name in dropped)])
            raise StaleLockError(
                f"`{workspace.lock_path}` would change: {touched}",
                hint="run `buildlock lock` without `--check`, or with `--dry-run` to see the changes",
            )
        written = differs and not options.dry_run
        if written:
            save(workspace.lock_path, text or "")
    return Locked(path=workspace.lock_path, variants=tuple(variants), dropped=dropped, written=written)


def _choose_variants(project: Project, options: LockOptions, workspace: Workspace) -> tuple[str, ...]:
    if options.all_variants:
        if options.variants:
            raise UsageError("`--all` and `--variant` exclude each other")
        return tuple(project.variants)
    asked: Sequence[str | None] = options.variants or [None]
    return tuple(sorted({choose_variant(project, name, workspace.environ, workspace.report) for name in asked}))


def _choose_targets(
    inputs: BuildInputs, options: LockOptions, environ: Mapping[str, str]
) -> tuple[tuple[TargetName, ...], tuple[Target, ...]]:
    names = choose_names(inputs.targets, pythons=options.pythons, platforms=options.platforms) or (TargetName(),)
    return names, find_targets(names, environ)


def _match_runtime(
    project: Project, options: LockOptions, targets: Mapping[str, tuple[tuple[TargetName, ...], tuple[Target, ...]]]
) -> Mapping[str, RuntimeMatches]:
    """What each variant's runtime says of the packages that `match-runtime` names."""
    inputs = {name: project.inputs[name] for name in targets}
    folder = options.runtime_environment
    if folder is not None and not any(each.match_runtime for each in inputs.values()):
        raise UsageError(
            "`--runtime-environment` has nothing to match",
            hint='write what to match in pyproject.toml: `[tool.buildlock] match-runtime = ["torch"]`',
        )
    installed = InstalledEnvironment(folder) if folder is not None else None
    locks = RuntimeLocks(project.root)
    return {
        name: find_matches(
            each,
            installed or (locks.find(each.variant) if each.match_runtime else None),
            [target.marker for target in targets[name][1]],
        )
        for name, each in inputs.items()
    }


def _read_old(path: Path) -> tuple[str | None, Lockfile]:
    """The text of the lockfile so far, `None` where there is none, and what it says."""
    try:
        content = read_content(path)
    except MissingLockError:
        return None, Lockfile(variants={})
    lockfile = parse_lockfile(content, str(path))
    return content.decode(), lockfile


@dataclass(frozen=True, slots=True)
class _VariantLocker:
    workspace: Workspace
    project: Project
    inputs: BuildInputs
    matches: RuntimeMatches
    names: tuple[TargetName, ...]
    targets: tuple[Target, ...]
    options: LockOptions

    def lock(self, before: LockedEnvironment | None) -> LockedEnvironment:
        name = self.inputs.variant.name
        self.workspace.report(Began(f"Locking {name}"))
        locked = self._keep(before.packages if before else ())
        preferences = [find_versions(locked, target) for target in self.targets]
        dynamic = self.project.dynamic or {}
        with self._open() as (enter, pinner):
            resolutions = self._resolve(enter, self._with_dynamic(dynamic), self.targets, preferences)
            packages = pinner.pin(resolutions, self.targets, locked)
            if self.options.dynamic and self.project.dynamic is None:
                dynamic = self._ask_backend(packages, enter, pinner)
                if dynamic:
                    # The static environment keeps its versions where what the backend asks for allows it.
                    kept = [
                        {**preferred, **{package.name: package.version for package in resolution.packages}}
                        for preferred, resolution in zip(preferences, resolutions, strict=True)
                    ]
                    resolutions = self._resolve(enter, self._with_dynamic(dynamic), self.targets, kept)
                    packages = pinner.pin(resolutions, self.targets, (*locked, *packages))
        environment = self._environment(packages, dynamic, self.targets)
        selected = [(target, select_packages(environment, target)) for target in self.targets]
        self.matches.verify(selected, self.workspace.report)
        return environment

    @contextmanager
    def _open(self) -> Iterator[tuple[Callable[[Target], Universe], Pinner]]:
        workspace = self.workspace
        store = workspace.open_store()
        with ExitStack() as stack:
            client = stack.enter_context(workspace.open_client(self.inputs))
            scratch = stack.enter_context(store.scratch())
            catalogue = Catalogue(self.inputs, client, workspace.report)
            stack.callback(catalogue.close)
            reader = MetadataReader(client, workspace.report, scratch)
            stack.callback(reader.close)
            # First of all, so that the reader need not wait for what was anticipated and is needed no more.
            stack.callback(client.close)
            yield (
                lambda target: self.matches.narrow(IndexUniverse(catalogue, reader, target.environment), target),
                Pinner(
                    indexes=frozenset(index.location for index in self.inputs.indexes if index.format == "simple"),
                    lock_dir=workspace.lock_path.parent,
                    store=store,
                    client=client,
                    report=workspace.report,
                ),
            )

    def _keep(self, locked: Sequence[Package]) -> Sequence[Package]:
        """The packages whose pins are not to be forgotten."""
        if self.options.upgrade:
            return ()
        return [package for package in locked if package.name not in self.options.upgrade_packages]

    def _with_dynamic(self, dynamic: Mapping[str, tuple[BuildRequirement, ...]]) -> BuildInputs:
        requirements = dict.fromkeys(each for asked in dynamic.values() for each in asked)
        if not requirements:
            return self.inputs
        inputs = add_requirements(self.inputs, tuple(requirements))
        check_contradictions(inputs)
        return inputs

    def _resolve(
        self,
        enter: Callable[[Target], Universe],
        inputs: BuildInputs,
        targets: Sequence[Target],
        preferences: Sequence[Mapping[NormalizedName, Version]],
    ) -> tuple[Resolution, ...]:
        requests = [
            ResolutionRequest(
                requirements=inputs.requires,
                constraints=inputs.constraints,
                overrides=inputs.overrides,
                target=target,
                settings=inputs.settings,
                preferences=preferred,
            )
            for target, preferred in zip(targets, preferences, strict=True)
        ]
        resolutions = resolve_all([(request, enter(request.target)) for request in requests], self.workspace.report)
        recorded = {name_of(override) for override in inputs.overrides if is_of_project(override.origin)}
        unrecorded = [override for override in inputs.overrides if name_of(override) not in recorded]
        for resolution in resolutions:
            versions = {package.name: package.version for package in resolution.packages}
            check_overrides(inputs.requires, unrecorded, versions)
        return resolutions

    def _environment(
        self,
        packages: tuple[Package, ...],
        dynamic: Mapping[str, tuple[BuildRequirement, ...]],
        targets: Sequence[Target],
    ) -> LockedEnvironment:
        return LockedEnvironment(
            environments=MarkerWriter(targets).environments(),
            inputs=inputs_of(
                # Where the project leaves the targets to the machine, they are no input.
                replace(self.inputs, targets=self.names if self.inputs.targets else ()),
                backend=self.project.build_system.backend,
                dynamic={product: [str(r.requirement) for r in asked] for product, asked in dynamic.items()},
                packages={package.name for package in packages},
                root=self.project.root,
                matched=self.matches.record({package.name for package in packages}),
            ),
            packages=packages,
        )

    def _ask_backend(
        self, packages: tuple[Package, ...], enter: Callable[[Target], Universe], pinner: Pinner
    ) -> Mapping[str, tuple[BuildRequirement, ...]]:
        """What the backend requires beyond the static build requirements, by what it would build."""
        interpreter, artifacts = self._find_artifacts(packages, enter, pinner)
        self.workspace.report(Noted("asking the backend for its dynamic requirements"))
        system = self.project.build_system
        with open_backend(self.workspace, self.project, self.inputs.variant, artifacts, interpreter) as backend:
            try:
                answers = {product: backend.requires_for(product, {}) for product in PRODUCTS}
            except BackendError as error:
                error.hint = error.hint or "to lock without asking the backend, pass `--no-dynamic`"
                raise
        found: dict[str, tuple[BuildRequirement, ...]] = {
            product: tuple(
                BuildRequirement(
                    requirement=requirement, origin=f"`get_requires_for_build_{product}` of `{system.backend}`"
                )
                for requirement in answer
            )
            for product, answer in answers.items()
            if answer
        }
        if found and (len(self.targets) > 1 or interpreter.target.marker != self.targets[0].marker):
            self.workspace.report(
                Warned(
                    f"what `{system.backend}` requires dynamically was asked on {interpreter.target} alone, "
                    "and is locked for every target",
                    hint="if it depends on the target, declare it: `dynamic-requires` under `[tool.buildlock]`",
                )
            )
        return found

    def _find_artifacts(
        self, packages: tuple[Package, ...], enter: Callable[[Target], Universe], pinner: Pinner
    ) -> tuple[Interpreter, tuple[LockedArtifact, ...]]:
        """An interpreter of this machine that the lock serves, else its own, and what it gets.

        Raises:
            UsageError: There is none, and it is one of this platform that was asked for.
        """
        environment = self._environment(packages, {}, self.targets)
        for interpreter in list_interpreters(self.names, self.workspace.environ):
            with suppress(UncoveredTargetError):
                return interpreter, require_wheels(select(environment, interpreter.target))
        if any(name.platform is None for name in self.names):
            described = " and no ".join(map(str, self.targets))
            raise UsageError(
                f"the backend cannot be asked for its dynamic requirements: no {described} on this machine",
                hint="install that Python, pass `--no-dynamic`, or declare them: `dynamic-requires` under "
                "`[tool.buildlock]`",
            )
        interpreter = find_interpreter(None, self.workspace.environ)
        here = (interpreter.target,)
        alone = pinner.pin(self._resolve(enter, self.inputs, here, [{}]), here, packages)
        return interpreter, require_wheels(select(self._environment(alone, {}, here), interpreter.target))
