"""`lock`: resolve the build environments of a project's variants and write them down."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import NormalizedName

from buildlock.environment.interpreter import Interpreter, find_interpreter
from buildlock.errors import BackendError, MissingLockError, StaleLockError, UncoveredTargetError, UsageError
from buildlock.frontend.backend import PRODUCTS
from buildlock.lockfile.changes import Change, compare_environments
from buildlock.lockfile.freshness import inputs_of
from buildlock.lockfile.markers import MarkerWriter
from buildlock.lockfile.model import LockedEnvironment, Lockfile
from buildlock.lockfile.reader import parse_lockfile, read_content
from buildlock.lockfile.select import Locked, find_versions, select_packages
from buildlock.lockfile.writer import drop_variant, save, write_variant
from buildlock.project.contradictions import check_contradictions
from buildlock.project.derivation import add_requirements
from buildlock.project.model import BuildInputs, BuildRequirement, Overrides, Project
from buildlock.reporting import Began, Noted, Warned
from buildlock.runtime.discovery import RuntimeLocks
from buildlock.runtime.installed import InstalledEnvironment
from buildlock.targets import Target, TargetName, choose_names
from buildlock.workflows.backend import open_backend
from buildlock.workflows.conditions import Conditions
from buildlock.workflows.drafts import Draft
from buildlock.workflows.interpreters import find_targets, list_interpreters
from buildlock.workflows.locker import Locker, open_access
from buildlock.workflows.runtime import RuntimeMatches, find_matches
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
class LockResult:
    """What `lock` did, or would do."""

    path: Path
    variants: tuple[LockedVariant, ...]
    dropped: tuple[str, ...]
    """Variants that the project no longer has; locking all of them leaves these out."""
    written: bool


def lock(workspace: Workspace, options: LockOptions) -> LockResult:
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
    inputs = {name: matches[name].own.bind() for name in names}
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
    return LockResult(path=workspace.lock_path, variants=tuple(variants), dropped=dropped, written=written)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Matching:
    """What a variant's runtime says of the packages that are to be matched with it."""

    own: RuntimeMatches
    """Of `match-runtime`."""
    extra: RuntimeMatches
    """Of `extra-build-dependencies`."""

    def record(self, names: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """What the lock says was matched; of `names`, which are locked."""
        own, extra = self.own.record(names), self.extra.record(names)
        return {source: (*own.get(source, ()), *extra.get(source, ())) for source in {**own, **extra}}


def _match_runtime(
    project: Project, options: LockOptions, targets: Mapping[str, tuple[tuple[TargetName, ...], tuple[Target, ...]]]
) -> Mapping[str, _Matching]:
    """What each variant's runtime says of the packages that are to be matched."""
    inputs = {name: project.inputs[name] for name in targets}
    folder = options.runtime_environment
    if folder is not None and not any(each.match_runtime or each.extra_matches for each in inputs.values()):
        raise UsageError(
            "`--runtime-environment` has nothing to match",
            hint='write what to match in pyproject.toml: `[tool.buildlock] match-runtime = ["torch"]`',
        )
    installed = InstalledEnvironment(folder) if folder is not None else None
    locks = RuntimeLocks(project.root)

    def match(variant: BuildInputs, names: frozenset[NormalizedName]) -> RuntimeMatches:
        lock = installed or (locks.find(variant.variant) if names else None)
        markers = [target.marker for target in targets[variant.variant.name][1]]
        return find_matches(replace(variant, match_runtime=names), lock, markers)

    return {
        name: _Matching(
            own=match(each, each.match_runtime), extra=match(each, frozenset().union(*each.extra_matches.values()))
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
    """Locks the environment that the project itself is built in, for one variant."""

    workspace: Workspace
    project: Project
    inputs: BuildInputs
    matches: _Matching
    names: tuple[TargetName, ...]
    targets: tuple[Target, ...]
    options: LockOptions

    def lock(self, before: LockedEnvironment | None) -> LockedEnvironment:
        self.workspace.report(Began(f"Locking {self.inputs.variant.name}"))
        served = self._find_served()
        conditions = Conditions(
            inputs=self.inputs,
            interpreter=served or find_interpreter(None, self.workspace.environ),
            environ=self.workspace.environ,
        )
        forget = None if self.options.upgrade else self.options.upgrade_packages
        dynamic = self.project.dynamic or {}
        with open_access(self.workspace, self.inputs) as access:
            locker = Locker(
                self.workspace,
                conditions,
                self.matches.own,
                self.matches.extra,
                access,
                locked=before,
                forget=forget,
                ask=self.options.dynamic,
            )
            locked = locker.keep(before.packages if before else ())
            preferences = [find_versions(locked, target) for target in self.targets]
            draft = locker.draft(self._with_dynamic(dynamic), self.targets, locked, preferences)
            if self.options.dynamic and self.project.dynamic is None:
                if served is None and any(name.platform is None for name in self.names):
                    raise self._describe_missing_python()
                dynamic = self._ask_backend(locker, draft, conditions)
                if dynamic:
                    draft = locker.redraft(draft, self._with_dynamic(dynamic), locked, preferences)
            environment = self._environment(draft, dynamic, locker.lock_builds(draft))
        # Selected one by one, and only if there is something to compare.
        selected = ((target, select_packages(environment, target)) for target in self.targets)
        self.matches.own.verify(selected, self.workspace.report)
        return environment

    def _find_served(self) -> Interpreter | None:
        """An interpreter of this machine that the lock serves."""
        served = {(str(target.marker), target.abi) for target in self.targets}
        for interpreter in list_interpreters(self.names, self.workspace.environ):
            if (str(interpreter.target.marker), interpreter.target.abi) in served:
                return interpreter
        return None

    def _describe_missing_python(self) -> UsageError:
        described = " and no ".join(map(str, self.targets))
        return UsageError(
            f"the backend cannot be asked for its dynamic requirements: no {described} on this machine",
            hint="install that Python, pass `--no-dynamic`, or declare them: `dynamic-requires` under "
            "`[tool.buildlock]`",
        )

    def _with_dynamic(self, dynamic: Mapping[str, tuple[BuildRequirement, ...]]) -> BuildInputs:
        requirements = dict.fromkeys(each for asked in dynamic.values() for each in asked)
        return add_requirements(self.inputs, tuple(requirements)) if requirements else self.inputs

    def _environment(
        self,
        draft: Draft,
        dynamic: Mapping[str, tuple[BuildRequirement, ...]],
        builds: Mapping[str, LockedEnvironment],
    ) -> LockedEnvironment:
        packages = {package.name for package in draft.packages}
        every = packages.union(package.name for build in builds.values() for package in build.packages)
        return LockedEnvironment(
            environments=MarkerWriter(draft.targets).environments(),
            inputs=inputs_of(
                # Where the project leaves the targets to the machine, they are no input.
                replace(self.inputs, targets=self.names if self.inputs.targets else ()),
                backend=self.project.build_system.backend,
                dynamic={product: [str(r.requirement) for r in asked] for product, asked in dynamic.items()},
                packages=every,
                root=self.project.root,
                matched=self.matches.record(every),
            ),
            packages=draft.packages,
            builds=builds,
        )

    def _ask_backend(
        self, locker: Locker, draft: Draft, conditions: Conditions
    ) -> Mapping[str, tuple[BuildRequirement, ...]]:
        """What the backend requires beyond the static build requirements, by what it would build."""
        interpreter, variant = conditions.interpreter, self.inputs.variant
        selected = self._select_here(locker, draft, interpreter)
        self.workspace.report(Noted("asking the backend for its dynamic requirements"))
        system = self.project.build_system
        with open_backend(
            self.workspace,
            self.project,
            variant,
            locker.preparer.prepare(selected),
            interpreter=interpreter,
            identity=conditions.identify(selected),
        ) as backend:
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

    def _select_here(self, locker: Locker, draft: Draft, interpreter: Interpreter) -> tuple[Locked, ...]:
        """What this machine gets of an environment, or would get if it were locked for it."""
        with suppress(UncoveredTargetError):
            return locker.select(self._environment(draft, {}, locker.lock_builds(draft)))
        here = locker.draft(self.inputs, (interpreter.target,), draft.packages, [{}])
        return locker.select(self._environment(here, {}, locker.lock_builds(here)))
