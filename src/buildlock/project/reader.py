"""From a folder to the frozen `Project`: every file and variable read once, every fault told at once."""

from collections.abc import Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from buildlock.answers.looking import is_file
from buildlock.project.build_system import parse_build_system, read_project_document
from buildlock.project.buildlock_settings import BuildlockSettings, read_buildlock_settings
from buildlock.project.choices import Choices, merge_choices
from buildlock.project.cibuildwheel import derive_from_cibuildwheel
from buildlock.project.configuration import read_pip_files, read_pip_index, read_uv_files, reads_project_settings
from buildlock.project.default_index import ask_pip
from buildlock.project.derivation import Declarations, derive_inputs, derive_variants
from buildlock.project.document import Document, Table, read_document
from buildlock.project.faults import Faults, suggest
from buildlock.project.indexes import add_credentials, arrange_indexes, make_index
from buildlock.project.mirrors import names_default_mirror, read_mirror_variables
from buildlock.project.model import Index, Overrides, Project, Settings
from buildlock.project.network import Network
from buildlock.project.outside_packages import spell_variants
from buildlock.project.runtime import RuntimeDependencies
from buildlock.project.settings import KEYS, find_links
from buildlock.project.sources import read_sources
from buildlock.project.uv_environments import derive_from_uv
from buildlock.project.uv_settings import keep_project_only, read_uv_settings
from buildlock.project.variables import read_pip_variables, read_switch, read_uv_variables
from buildlock.reporting import Reporter, Warned
from buildlock.targets import TargetName, choose_names
from buildlock.text import present
from buildlock.values import dataclass
from buildlock.variants import Variant


def read_project(
    root: Path,
    *,
    environ: Mapping[str, str],
    overrides: Overrides = Overrides(),  # noqa: B008 - frozen
    asks_pip: bool = True,
    report: Reporter,
) -> Project:
    """Read the project in the folder `root`.

    What weighs more comes first: the command line; uv's variables; the project's `[tool.buildlock]`, then its uv.toml
    or else `[tool.uv]`; pip's variables; the user's and the machine's uv.toml; pip's configuration files. The first
    that gives a single value wins, lists are joined. `[tool.buildlock.sources]` replaces all that `[tool.uv.sources]`
    says of the same package.
    The default index has an order of its own: there the project weighs more than the environment.

    Where nothing names a default index, pip is asked for the one that it has built in; unless `asks_pip` is false, as
    the default index is not what a lock is compared with.

    `report` hears of what does not apply: settings that are not supported yet (in one warning), or not read.

    Raises:
        InvalidProjectError: With all faults that were found.
    """
    root = root.absolute()
    faults = Faults()
    document = read_project_document(root, faults) or Document(
        label="pyproject.toml", folder=root, data={}, positions={}
    )
    pyproject = document.root_table(faults)
    tool = pyproject.table("tool")
    buildlock = read_buildlock_settings(tool.table("buildlock"))
    uv = _read_uv(root, tool.table("uv"), environ, faults, report)
    places = _read_places(merge_choices([buildlock.choices, uv]), environ, overrides, faults)
    settled = merge_choices(places.weightiest_first)
    indexes = _settle_indexes(places, settled, environ, faults, asks_pip=asks_pip)
    runtime = RuntimeDependencies(pyproject.table("project"), pyproject.table("dependency-groups"))
    assignable = {index.name for place in (places.uv_variables, places.project) for index in place.all_indexes}
    declarations = Declarations(
        build_system=parse_build_system(pyproject, root, faults),
        runtime=runtime,
        variants=buildlock.variants,
        sources={**read_sources(tool.table("uv").table("sources"), with_variants=False), **buildlock.sources},
        # As in uv: sources do not know the indexes of the user's and the machine's configuration.
        indexes={index.name: index for index in indexes if index.name is not None and index.name in assignable},
        no_index=bool(settled.no_index),
        constraints=settled.constraints,
        overrides=settled.overrides,
        targets=_read_targets(buildlock, pyproject, report),
        settings=_make_settings(settled, indexes),
        declared=_make_settings(
            places.project, arrange_indexes(places.project.all_indexes, places.project.default_index)
        ),
        match_runtime=buildlock.match_runtime,
        source_builds=settled.source_builds,
        pass_environment=buildlock.pass_environment,
        mirrors=(*read_mirror_variables(environ, indexes, report, faults), *buildlock.mirrors),
        offline=bool(settled.offline),
        faults=faults,
    )
    variants = derive_variants(declarations)
    project = Project(
        root=root,
        name=runtime.name,
        build_system=declarations.build_system,
        variants=variants,
        dynamic=buildlock.dynamic,
        default_variant=_find_default(buildlock.default_variant, variants, faults),
        default_detected=buildlock.default_detected,
        pin_runtime=buildlock.pin_runtime,
        policy=buildlock.policy,
        packages={name: spell_variants(each, variants, faults) for name, each in buildlock.packages.items()},
        inputs={name: derive_inputs(variant, declarations) for name, variant in variants.items()},
    )
    faults.raise_collected()
    _warn(settled, declarations, variants, report)
    return project


def _read_targets(buildlock: BuildlockSettings, pyproject: Table, report: Reporter) -> tuple[TargetName, ...]:
    """The targets that the project names: for buildlock, else for uv, else for cibuildwheel."""
    tool = pyproject.table("tool")
    supported = pyproject.table("project").get("requires-python")
    requires_python = supported if isinstance(supported, str) else None
    return (
        choose_names((), pythons=buildlock.pythons, platforms=buildlock.platforms)
        or derive_from_uv(tool.table("uv"), requires_python, report)
        or derive_from_cibuildwheel(tool.table("cibuildwheel"), requires_python, report)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Places:
    """What each place says."""

    command_line: Choices
    project: Choices
    uv_variables: Choices
    pip_variables: Choices
    uv_files: Choices
    pip_files: Choices

    @property
    def weightiest_first(self) -> tuple[Choices, ...]:
        return self.command_line, self.uv_variables, self.project, self.pip_variables, self.uv_files, self.pip_files

    @property
    def default_index(self) -> Index | None:
        """The default index that a place names; the project's own counts before the environment's."""
        places = (self.command_line, self.project, self.uv_variables, self.pip_variables, self.uv_files)
        return next((place.default_index for place in places if place.default_index), None)


def _read_places(project: Choices, environ: Mapping[str, str], overrides: Overrides, faults: Faults) -> _Places:
    folder = Path.cwd()
    default = None
    if overrides.default_index is not None:
        origin = "--default-index"
        default = make_index(overrides.default_index, folder=folder, origin=origin, faults=faults, default=True)
    return _Places(
        command_line=Choices(
            indexes=(default,) if default else (),
            find_links=find_links(overrides.find_links, folder=folder, origin="--find-links", faults=faults),
            no_index=overrides.no_index or None,
            no_binary=overrides.no_binary or None,
            no_binary_package=overrides.no_binary_package,
            no_build=overrides.no_build or None,
            no_build_package=overrides.no_build_package,
            link_mode=overrides.link_mode,
            network=Network(insecure_hosts=overrides.insecure_hosts),
            offline=overrides.offline or read_switch(environ, "BUILDLOCK_OFFLINE", faults),
        ),
        project=project,
        uv_variables=read_uv_variables(environ, folder=folder, faults=faults),
        pip_variables=read_pip_variables(environ, folder=folder, faults=faults),
        uv_files=read_uv_files(environ, faults),
        pip_files=read_pip_files(environ, faults),
    )


def _read_uv(root: Path, table: Table, environ: Mapping[str, str], faults: Faults, report: Reporter) -> Choices:
    """Settings of uv in the project: a uv.toml beside pyproject.toml stands in for those of `[tool.uv]`."""
    choices = read_uv_settings(table)
    if not reads_project_settings(environ, faults):
        return keep_project_only(choices)
    path = root / "uv.toml"
    document = read_document(path, label="uv.toml", faults=faults) if is_file(path) else None
    if document is None:
        return choices
    if masked := [f"`{key}`" for key in table if key in KEYS]:
        report(Warned(f"uv.toml stands in for the settings of `[tool.uv]` in pyproject.toml: {', '.join(masked)}"))
    return merge_choices([read_uv_settings(document.root_table(faults)), keep_project_only(choices)])


def _settle_indexes(
    places: _Places, settled: Choices, environ: Mapping[str, str], faults: Faults, *, asks_pip: bool
) -> tuple[Index, ...]:
    """All indexes that were named, and the default one, looked for as far as it takes."""
    default = places.default_index
    if default is None and not settled.no_index:
        default = read_pip_index(environ, faults)
        if default is None and (asks_pip or names_default_mirror(environ)):
            default = ask_pip(environ)
    return tuple(add_credentials(index, environ) for index in arrange_indexes(settled.all_indexes, default))


def _make_settings(settled: Choices, indexes: tuple[Index, ...]) -> Settings:
    defaults, cutoff = Settings(), settled.exclude_newer
    return Settings(
        indexes=() if settled.no_index else indexes,
        find_links=settled.find_links,
        index_strategy=settled.index_strategy or defaults.index_strategy,
        prerelease=settled.prerelease or defaults.prerelease,
        exclude_newer=cutoff.moment if cutoff else None,
        exclude_newer_span=cutoff.span if cutoff else None,
        exclude_newer_package={name: each.moment for name, each in settled.exclude_newer_package.items()},
        exclude_newer_package_spans={
            name: each.span for name, each in settled.exclude_newer_package.items() if each.span is not None
        },
        no_binary=bool(settled.no_binary),
        no_binary_package=settled.no_binary_package,
        no_build=bool(settled.no_build),
        no_build_package=settled.no_build_package,
        link_mode=settled.link_mode,
        network=settled.network,
    )


def _find_default(written: str | None, variants: Mapping[str, Variant], faults: Faults) -> str | None:
    if written is None:
        return None
    for name in variants:
        if canonicalize_name(name) == canonicalize_name(written):
            return name
    what = f"is `{written}`, which is no variant of the project{suggest(written, variants)}"
    faults.add("pyproject.toml: [tool.buildlock].default-variant", what)
    return None


def _warn(settled: Choices, declarations: Declarations, variants: Mapping[str, Variant], report: Reporter) -> None:
    ignored = (place for sources in declarations.sources.values() for each in sources for place in each.ignored)
    if unsupported := [*settled.unsupported, *ignored]:
        settings = ", ".join(f"`{present(setting)}`" for setting in unsupported)
        report(Warned(f"these settings are not supported yet and do not apply to the build environment: {settings}"))
    if settled.unisolated:
        settings = ", ".join(f"`{present(setting)}`" for setting in settled.unisolated)
        report(Warned(f"everything is built in isolation, in an environment that is locked: {settings} does not apply"))
    unknown = [name for name, variant in variants.items() if variant.extra is not None]
    if unknown and not declarations.runtime.extras_known:
        report(
            Warned(
                "the project's extras are not written in pyproject.toml, so what they pin cannot bind the build of "
                + ", ".join(f"`{name}`" for name in unknown),
                hint="write `[project.optional-dependencies]`, or `constraints` in `[tool.buildlock.variants]`",
            )
        )
