"""Locking the environment that the project itself is built in, for one variant."""

from collections.abc import Mapping
from contextlib import suppress

from buildlock.answers.looking import explained, look_at_top
from buildlock.environment.interpreter import Interpreter
from buildlock.errors import BackendError, UncoveredTargetError, UsageError
from buildlock.lockfile.freshness import inputs_of
from buildlock.lockfile.markers import MarkerWriter
from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.select import Locked, find_versions, select_packages
from buildlock.project.derivation import add_requirements
from buildlock.project.model import BuildInputs, BuildRequirement
from buildlock.reporting import Began, Noted, Warned
from buildlock.values import dataclass
from buildlock.workflows.conditions import Conditions
from buildlock.workflows.drafts import Draft
from buildlock.workflows.locker import Locker
from buildlock.workflows.locking_task import LockingTask


@dataclass(frozen=True, slots=True)
class VariantLocker:
    """Locks the environment that the project itself is built in."""

    task: LockingTask

    def lock(self, before: LockedEnvironment | None) -> LockedEnvironment:
        """Lock it, with pins that are kept from `before` where they fit.

        Raises:
            BuildlockError: As of `lock`.
        """
        task = self.task
        task.workspace.report(Began(f"Locking {task.inputs.variant.name}"))
        conditions = task.conditions(task.inputs)
        dynamic = task.project.dynamic or {}
        locker = task.open_locker(conditions, before)
        locked = locker.keep(before.packages if before else ())
        preferences = [find_versions(locked, target) for target in task.targets]
        draft = locker.draft(self._with_dynamic(dynamic), task.targets, locked, preferences)
        if task.options.dynamic and task.project.dynamic is None:
            if task.served is None and any(name.platform is None for name in task.names):
                raise self._describe_missing_python()
            dynamic = self._ask_backend(locker, draft, conditions)
            if dynamic:
                draft = locker.redraft(draft, self._with_dynamic(dynamic), locked, preferences)
        environment = self._environment(draft, dynamic, locker.lock_builds(draft))
        # Selected one by one, and only if there is something to compare.
        selected = ((target, select_packages(environment, target)) for target in task.targets)
        task.matches.verify(selected, task.workspace.report)
        return environment

    def _describe_missing_python(self) -> UsageError:
        described = " and no ".join(map(str, self.task.targets))
        return UsageError(
            f"the backend cannot be asked for its dynamic requirements: no {described} on this machine",
            hint="install that Python, pass `--no-dynamic`, or declare them: `dynamic-requires` under "
            "`[tool.buildlock]`",
        )

    def _with_dynamic(self, dynamic: Mapping[str, tuple[BuildRequirement, ...]]) -> BuildInputs:
        requirements = dict.fromkeys(each for asked in dynamic.values() for each in asked)
        return add_requirements(self.task.inputs, tuple(requirements)) if requirements else self.task.inputs

    def _environment(
        self,
        draft: Draft,
        dynamic: Mapping[str, tuple[BuildRequirement, ...]],
        builds: Mapping[str, LockedEnvironment],
    ) -> LockedEnvironment:
        packages = {package.name for package in draft.packages}
        every = packages.union(package.name for build in builds.values() for package in build.packages)
        task = self.task
        return LockedEnvironment(
            environments=MarkerWriter(draft.targets).environments(),
            inputs=inputs_of(
                task.name_targets(task.inputs),
                backend=self.task.project.build_system.backend,
                dynamic={product: [str(r.requirement) for r in asked] for product, asked in dynamic.items()},
                packages=every,
                root=self.task.project.root,
                matched=task.matches.record(packages),
            ),
            packages=draft.packages,
            builds=builds,
        )

    def _ask_backend(
        self, locker: Locker, draft: Draft, conditions: Conditions
    ) -> Mapping[str, tuple[BuildRequirement, ...]]:
        """What the backend requires beyond the static build requirements, by what it would build."""
        from buildlock.frontend.backend import PRODUCTS  # noqa: PLC0415 - with `--no-dynamic` it runs nothing
        from buildlock.workflows.backend import open_backend  # noqa: PLC0415

        interpreter, variant = conditions.interpreter, self.task.inputs.variant
        selected = self._select_here(locker, draft, interpreter)
        self.task.workspace.report(Noted("asking the backend for its dynamic requirements"))
        system = self.task.project.build_system
        wheels = locker.preparer.prepare(selected)
        for folder in (".", *system.backend_path):
            look_at_top(self.task.project.root / folder)
        with (
            explained(),
            open_backend(
                self.task.workspace,
                self.task.project,
                variant,
                wheels,
                interpreter=interpreter,
                identity=conditions.identify(selected),
                settings=conditions.inputs.settings,
            ) as backend,
        ):
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
        if found and (len(self.task.targets) > 1 or interpreter.target.marker != self.task.targets[0].marker):
            self.task.workspace.report(
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
        here = locker.draft(self.task.inputs, (interpreter.target,), draft.packages, [{}])
        return locker.select(self._environment(here, {}, locker.lock_builds(here)))
