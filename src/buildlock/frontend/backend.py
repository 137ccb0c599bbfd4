"""The backend of a project (PEP 517, PEP 660): asked what it needs, told to build, and not believed."""

import os
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from packaging.requirements import Requirement

from buildlock.frontend.confinement import Confinement
from buildlock.frontend.hooks import Hooks, MissingHookError
from buildlock.frontend.isolation import IsolatedEnvironment, isolate
from buildlock.frontend.pinned_wheel import pin_wheel
from buildlock.frontend.prepared import read_built_metadata, read_prepared_metadata
from buildlock.frontend.product import InvalidProductError, open_scratch, place_product, take_product
from buildlock.metadata.core import parse_requirement
from buildlock.project.model import BuildSystem
from buildlock.reporting import Reporter

Product: TypeAlias = Literal["wheel", "sdist", "editable"]
PRODUCTS: Final[tuple[Product, ...]] = ("wheel", "sdist", "editable")
_MAX_REQUIREMENTS: Final = 1000
_SHOWN: Final = 5
ConfigSettings: TypeAlias = Mapping[str, str | list[str]]


class Backend:
    """The backend of one project, run in an environment that holds its build requirements.

    What the backend prints is reported line by line; an error that is its fault holds the end of it.

    Args:
        build_system: Which backend, and where it is found.
        root: The project's folder.
        environment: Where it runs: it sees the packages of this environment and no others.
        variables: The variant's environment variables.
        report: Told each line, from another thread.
        name: The project's, where it is known; a product of another name is refused.
        timeout: Seconds that one hook may take; `None` for as long as it takes.
        confinement: What it is kept from; the folder of each product it may write.
        environ: The user's environment variables.

    Example:
        >>> backend = Backend(project.build_system, project.root, environment, variant.environment, report)
        >>> backend.requires_for("wheel")
        (<Requirement('setuptools-scm>=8')>,)
        >>> backend.build("wheel", Path("dist"))
        PosixPath('dist/kernels-1.0-cp311-cp311-linux_x86_64.whl')
    """

    def __init__(
        self,
        build_system: BuildSystem,
        root: Path,
        environment: IsolatedEnvironment,
        variables: Mapping[str, str],
        report: Reporter,
        *,
        name: str | None = None,
        timeout: float | None = None,
        confinement: Confinement | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._name = name
        self.environ: Mapping[str, str] = isolate(environ, environment, variables)
        """The environment variables that its hooks see."""
        self._hooks = Hooks(
            build_system=build_system,
            root=root,
            python=environment.python,
            environ=self.environ,
            report=report,
            timeout=timeout,
            confinement=confinement,
        )

    def requires_for(self, product: Product, config_settings: ConfigSettings | None = None) -> tuple[Requirement, ...]:
        """What the backend needs to build `product` beyond the static build requirements.

        Nothing, where it does not have the hook, which is optional. Direct references are returned as they are.

        Raises:
            BackendError: The hook failed, or returned something else than requirements.
            EnvironmentPreparationError: The environment's interpreter cannot be run.
            ConfinementError: This machine cannot confine it; so for every method.
        """
        hook = f"get_requires_for_build_{product}"
        answer = self._hooks.call(hook, _as_json(config_settings))
        if not isinstance(answer.value, list):
            raise self._hooks.blame(f"returned no list from `{hook}`: {_show(answer.value)}", answer.output)
        if len(answer.value) > _MAX_REQUIREMENTS:
            fault = f"returned {len(answer.value)} requirements from `{hook}`, more than {_MAX_REQUIREMENTS}"
            raise self._hooks.blame(fault, answer.output)
        parsed = [(item, _parse_requirement(item)) for item in answer.value]
        if faults := [_show(item) for item, requirement in parsed if requirement is None]:
            shown = ", ".join(faults[:_SHOWN]) + (" …" if len(faults) > _SHOWN else "")
            raise self._hooks.blame(f"returned from `{hook}` what is no requirement: {shown}", answer.output)
        return tuple(requirement for _, requirement in parsed if requirement is not None)

    def metadata(self, folder: Path, config_settings: ConfigSettings | None = None) -> bytes:
        """The `METADATA` that a wheel would have: prepared, or taken from a wheel that is built for it.

        Args:
            folder: An existing folder of the caller's own, for what the backend writes.
            config_settings: Handed to the hook.

        Raises:
            BackendError: The hook failed, or what it wrote is no metadata folder or no wheel.
            EnvironmentPreparationError: The environment's interpreter cannot be run, or `folder` not be written.
        """
        hook = "prepare_metadata_for_build_wheel"
        try:
            answer = self._hooks.call(hook, str(folder), _as_json(config_settings), False, output=folder)
        except MissingHookError:
            return read_built_metadata(self.build("wheel", folder, config_settings))
        try:
            return read_prepared_metadata(folder, answer.value)
        except InvalidProductError as error:
            raise self._hooks.blame(f"did not keep to the protocol in `{hook}`: {error}", answer.output) from error

    def build(
        self,
        product: Product,
        out_dir: Path,
        config_settings: ConfigSettings | None = None,
        *,
        pins: Sequence[Requirement] = (),
    ) -> Path:
        """Build `product` into `out_dir`, creating it if need be, and return the file.

        The file is checked to be what its name says, then put in place in one step; one of its name is replaced. A
        build that fails leaves nothing in `out_dir`.

        Args:
            product: What to build.
            out_dir: Where to.
            config_settings: Handed to the hook.
            pins: Added to what a wheel requires.

        Raises:
            BackendError: The hook is missing or failed, or what it built is not the product, or contradicts `pins`.
            EnvironmentPreparationError: The environment's interpreter cannot be run, or `out_dir` not be written.
        """
        hook = f"build_{product}"
        with open_scratch(out_dir) as scratch:
            # A folder of its own: what a backend writes beside it is not taken for ours.
            output = scratch / "product"
            output.mkdir()
            answer = self._hooks.call(hook, str(output), _as_json(config_settings), output=output)
            try:
                built = take_product(
                    output, answer.value, scratch, kind="sdist" if product == "sdist" else "wheel", name=self._name
                )
            except InvalidProductError as error:
                raise self._hooks.blame(f"did not keep to the protocol in `{hook}`: {error}", answer.output) from error
            if pins and product != "sdist":
                pin_wheel(built, pins)
            return place_product(built, out_dir)


def _as_json(config_settings: ConfigSettings | None) -> dict[str, str | list[str]] | None:
    # `None` is what frontends hand over where the user set nothing; some backends tell it from `{}`.
    return dict(config_settings) if config_settings else None


def _parse_requirement(item: object) -> Requirement | None:
    """The requirement that `item` is, if it is one."""
    try:
        return parse_requirement(item) if isinstance(item, str) else None
    except ValueError:
        return None


def _show(value: object) -> str:
    """`value` as Python writes it, not longer than a line."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = 200
    return shown.repr(value)
