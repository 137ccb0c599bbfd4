"""A build backend that hands the frontend this project's locked build environment, and then steps aside.

`buildlock init --backend` puts this file into a project's tree and names it in `[build-system]`. It needs no package,
not even buildlock: pip, uv, build and every other frontend of PEP 517 and PEP 660 build from `build-lock.toml` by it.

- `get_requires_for_build_*` answers with `name @ URL#sha256=...` for each package that the lock has for this
  interpreter and platform. The frontend downloads, verifies and installs them.
- Every other hook first makes sure that the environment is the locked one. Then it calls, in the same process, the
  backend named in `[tool.buildlock.build-system]`.

Which variant is meant says `-C variant=NAME`, else `BUILDLOCK_VARIANT`, else what the build environment has already
(`match-runtime` of uv), else `default-variant` under `[tool.buildlock]`, else there is only one.

It runs on Python 3.8 and newer, and imports the standard library alone. `requires` stays empty on purpose: what stands
there is resolved before any hook is asked, unlocked and unverified, `tomli` for an old Python too. So the TOML of
Python 3.8 to 3.10 is read here, at the end of the file.
"""

from __future__ import annotations

import configparser
import contextlib
import importlib
import importlib.metadata
import itertools
import os
import platform
import re
import struct
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Dict, Iterator, Mapping, NamedTuple, NoReturn, Optional
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

tomllib: Any = importlib.import_module("tomllib") if sys.version_info >= (3, 11) else None

LOCK = "build-lock.toml"
MAX_FILENAME, MAX_DOTS = 255, 30
STAMP = "editable-variant"
SETTING = "variant"
VARIABLE = "BUILDLOCK_VARIANT"
OPTIONAL = ("build_editable", "prepare_metadata_for_build_wheel", "prepare_metadata_for_build_editable")

Settings = Optional[Mapping[str, Any]]
Table = Dict[str, Any]


class Refused(SystemExit):
    """What is wrong and what to do about it. As the end of the process it is shown without a traceback."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(f"buildlock: error: {message}" + (f"\nhint: {hint}" if hint else ""))


class Uncovered(Refused):
    """The lock has nothing for this interpreter or platform."""


# --- hooks -----------------------------------------------------------------------------------------------------------


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    return list_requirements(config_settings)


def get_requires_for_build_sdist(config_settings: Settings = None) -> list[str]:
    return list_requirements(config_settings)


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    return list_requirements(config_settings)


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    with open_backend(config_settings, compiles=True) as opened:
        return str(opened.backend.build_wheel(wheel_directory, opened.settings, metadata_directory))


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    with open_backend(config_settings) as opened:
        return str(opened.backend.build_sdist(sdist_directory, opened.settings))


def _build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    with open_backend(config_settings, compiles=True) as opened:
        built = str(opened.backend.build_editable(wheel_directory, opened.settings, metadata_directory))
        stamp(opened.variant)
        return built


def _prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings = None) -> str:
    with open_backend(config_settings) as opened:
        return str(opened.backend.prepare_metadata_for_build_wheel(metadata_directory, opened.settings))


def _prepare_metadata_for_build_editable(metadata_directory: str, config_settings: Settings = None) -> str:
    with open_backend(config_settings) as opened:
        return str(opened.backend.prepare_metadata_for_build_editable(metadata_directory, opened.settings))


def __getattr__(name: str) -> Any:
    """The optional hooks, where the project's backend has them.

    Frontends look for `build_editable` before they install what `get_requires_for_build_editable` asks for. As long as
    the project's backend is not there to be asked, it has the hook.
    """
    if name not in OPTIONAL:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        backend = load_backend(Project())
    except (ImportError, AttributeError):
        backend = None
    if backend is not None and not hasattr(backend, name):
        raise AttributeError(f"the project's backend has no hook {name!r}")
    return globals()[f"_{name}"]


# --- the project -----------------------------------------------------------------------------------------------------


class Project:
    """What pyproject.toml says. Hooks run in the project's folder (PEP 517)."""

    def __init__(self) -> None:
        self.root = Path.cwd()
        document = read_toml(self.root / "pyproject.toml")
        self.table: Table = take(take(document, "tool", dict, "", {}), "buildlock", dict, "tool", {})
        self.system: Table = take(self.table, "build-system", dict, "tool.buildlock")
        where = "tool.buildlock.build-system"
        self.requires = take_strings(self.system, "requires", where)
        self.backend = take(self.system, "build-backend", str, where, "setuptools.build_meta:__legacy__")
        self.backend_path = take_strings(self.system, "backend-path", where, [])
        if self.backend.partition(":")[0] == __name__:
            raise Refused(f"`[{where}]` names this very backend")
        unlocked = take(self.table, "unlocked", str, "tool.buildlock", "refuse")
        if unlocked not in ("refuse", "resolve"):
            raise Refused(f"`tool.buildlock.unlocked` is `{unlocked}`, neither `refuse` nor `resolve`")
        self.resolves_unlocked = unlocked == "resolve"

    def variant(self, name: str) -> Table:
        """`[tool.buildlock.variants.NAME]`, however its name is spelled."""
        variants = take(self.table, "variants", dict, "tool.buildlock", {})
        for written in variants:
            if normalize(written) == normalize(name):
                return take(variants, written, dict, "tool.buildlock.variants")  # type: ignore[no-any-return]
        return {}

    def variables(self, variant: str) -> dict[str, str]:
        where = f"tool.buildlock.variants.{variant}"
        variables = take(self.variant(variant), "environment", dict, where, {})
        return {name: take(variables, name, str, f"{where}.environment") for name in variables}

    def requirements(self, variant: str) -> list[Requirement]:
        """The static build requirements. Those of the variant replace those of the same name."""
        own = take_strings(self.variant(variant), "requires", f"tool.buildlock.variants.{variant}", [])
        added = [parse_requirement(text) for text in own]
        replaced = {each.name for each in added}
        return [each for each in map(parse_requirement, self.requires) if each.name not in replaced] + added


class Opened(NamedTuple):
    """The project's backend, and what it is called with."""

    backend: Any
    settings: Settings
    """Those that are meant for it."""
    variant: str
    """Empty where the build is not locked, and nobody can say."""


@contextlib.contextmanager
def open_backend(config_settings: Settings, *, compiles: bool = False) -> Iterator[Opened]:
    """The project's backend, with the variables of the variant set as long as the context lasts."""
    project = Project()
    try:
        choice = choose(project, config_settings)
        check_installed(choice)
        name = choice.variant
    except Uncovered as error:
        if not project.resolves_unlocked:
            raise
        warn(f"this build is NOT locked: {describe(error)}")
        name = error.variant if isinstance(error, UncoveredVariant) else ""
    variables = project.variables(name) if name else {}
    settings = {key: value for key, value in (config_settings or {}).items() if key != SETTING}
    with contextlib.ExitStack() as stack:
        if compiles:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="buildlock-")))
            variables.update(divert_objects(folder, {**os.environ, **variables}))
        saved = {key: os.environ.get(key) for key in variables}
        stack.callback(restore, saved)
        os.environ.update(variables)
        try:
            backend = load_backend(project)
        except (ImportError, AttributeError) as error:
            hint = "this build environment is not the one that `get_requires_for_build_*` asked for"
            raise Refused(f"the backend `{project.backend}` cannot be imported: {error}", hint) from error
        yield Opened(backend, None if config_settings is None else settings, name)


def restore(variables: Mapping[str, str | None]) -> None:
    for key, value in variables.items():
        if value is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = value


def stamp(variant: str) -> None:
    """Leave word of the variant that the extensions in the source tree are of, where that has changed.

    uv keeps the editable wheel of each variant, and takes that of an earlier one again: but all it holds is the way to
    extensions in the tree that the next variant has replaced. This file is among its `cache-keys`.
    """
    path = Path(__file__).with_name(STAMP)
    try:
        if not path.exists() or path.read_text(encoding="utf-8") != f"{variant}\n":
            path.write_text(f"{variant}\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        warn(f"`{path}` cannot be written: {error}")


def load_backend(project: Project) -> Any:
    """The object that `build-backend` names (PEP 517)."""
    for entry in reversed(project.backend_path):
        path = str(project.root / entry)
        if path not in sys.path:
            sys.path.insert(0, path)
    importlib.invalidate_caches()  # frontends that keep the process have installed something meanwhile
    module, _, attributes = project.backend.partition(":")
    backend: Any = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        backend = getattr(backend, attribute)
    return backend


def divert_objects(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Make setuptools compile into a folder of this build, and everything anew.

    It would reuse in `build/` what is newer than its source: an extension that was compiled against another variant.
    """
    config = configparser.RawConfigParser()
    config.optionxform = str  # type: ignore[assignment,method-assign]
    chosen = environ.get("DIST_EXTRA_CONFIG")
    try:
        config.read([chosen] if chosen else [], encoding="utf-8")
    except (configparser.Error, ValueError, OSError) as error:
        raise Refused(f"`{chosen}`, named by `DIST_EXTRA_CONFIG`, cannot be read: {error}") from error
    if not config.has_section("build"):
        config.add_section("build")
    config.set("build", "build_base", str(folder / "build"))
    config.set("build", "force", "1")
    path = folder / "distutils.cfg"
    with path.open("w", encoding="utf-8") as file:
        config.write(file)
    return {"DIST_EXTRA_CONFIG": str(path)}


# --- the variant -----------------------------------------------------------------------------------------------------


class Choice(NamedTuple):
    """A variant, and what this interpreter gets of it."""

    variant: str
    packages: list[Locked]


class UncoveredVariant(Uncovered):
    """It is known which variant has nothing for this interpreter."""

    def __init__(self, message: str, variant: str, hint: str) -> None:
        super().__init__(message, hint)
        self.variant = variant


def list_requirements(config_settings: Settings) -> list[str]:
    """The whole locked environment as direct references with hashes."""
    project = Project()
    try:
        choice = choose(project, config_settings)
    except Uncovered as error:
        if not project.resolves_unlocked:
            raise
        warn(f"this build is NOT locked, `requires` is resolved afresh: {describe(error)}")
        variant = error.variant if isinstance(error, UncoveredVariant) else ""
        return [each.text for each in project.requirements(variant)]
    for package in choice.packages:
        path = Path(url2pathname(urlsplit(package.url).path)) if package.url.startswith("file:") else None
        if path is not None and not path.exists():
            raise Refused(f"`{LOCK}` has `{path}`, which is not there", "put it where it was when it was locked")
        if package.unlocked:
            warn(f"`{package.name}` {package.version} {package.unlocked}")
    return [f"{package.name} @ {package.url}" for package in choice.packages]


def choose(project: Project, config_settings: Settings) -> Choice:
    """The variant to build, and its packages."""
    variants = read_lock(project.root / LOCK)
    machine = Machine()
    asked = ask_variant(config_settings)
    choice = None if asked else infer_variant(variants, machine, project.root)
    if choice is None:
        name = find_variant(asked or (find_default(project, variants), ""), variants)
        choice = Choice(name, select(name, variants, machine, project.root))
    check_requirements(choice, project, variants[choice.variant], machine)
    return choice


def read_lock(path: Path) -> dict[str, Table]:
    """The variants of the lock. Whoever proposes a change wrote it: what it says may end up in a log."""
    lock = read_toml(path, hint="run `buildlock lock`; an sdist must carry the lock along")
    if lock.get("lock-version") != "1.0":
        hint = "a newer buildlock wrote it: run `buildlock init --backend` of that version"
        raise Refused(f"`{LOCK}` has `lock-version` {lock.get('lock-version')!r:.50}, and this reads '1.0'", hint)
    if strange := next((text for text in list_texts(lock) if not text.isprintable()), None):
        raise Refused(f"`{LOCK}` has characters that do not show: {strange[:200]!r}", "run `buildlock check`")
    return take(lock, "variants", dict, "", {})  # type: ignore[no-any-return]


def list_texts(value: Any) -> Iterator[str]:
    """Every key and every string in it."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            waiting += each.keys()
            waiting += each.values()


def ask_variant(config_settings: Settings) -> tuple[str, str] | None:
    """The variant that the caller names, and where."""
    value = (config_settings or {}).get(SETTING)
    values = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
    if not all(isinstance(each, str) and each for each in values):
        raise Refused(f"the config setting `{SETTING}` is not the name of a variant")
    if len(set(values)) > 1:
        raise Refused(f"the config setting `{SETTING}` names several: " + ", ".join(f"`{each}`" for each in values))
    if values:
        return values[0], f" (from the config setting `{SETTING}`)"
    chosen = os.environ.get(VARIABLE)
    return (chosen, f" (from `{VARIABLE}`)") if chosen else None


def find_variant(asked: tuple[str, str], variants: Mapping[str, Table]) -> str:
    """The locked variant of that name; two spellings of an extra or a group are one (PEP 685, PEP 735)."""
    name, where = asked
    for written in variants:
        if normalize(written) == normalize(name):
            return written
    held = ", ".join(f"`{each}`" for each in variants) or "none"
    raise Refused(
        f"`{LOCK}` does not lock the variant `{name}`{where}; it has {held}", f"run `buildlock lock --variant {name}`"
    )


def find_default(project: Project, variants: Mapping[str, Table]) -> str:
    default = take(project.table, "default-variant", str, "tool.buildlock", "")
    if default and default != "auto":
        return str(default)
    if len(variants) == 1:
        return next(iter(variants))
    if not variants:
        raise Refused(f"`{LOCK}` locks no variant", "run `buildlock lock`")
    names = ", ".join(f"`{each}`" for each in variants)
    why = (
        "`default-variant` is `auto`, which only `buildlock` itself can tell"
        if default
        else "nothing says which to build"
    )
    raise Refused(f"{why}; the lock has {names}", f"pass `-C {SETTING}=NAME` to the frontend, or set `{VARIABLE}`")


def infer_variant(variants: Mapping[str, Any], machine: Machine, root: Path) -> Choice | None:
    """The variant that locks those packages which the build environment has already, and which tell variants apart.

    uv puts them there for `match-runtime`.
    """
    if len(variants) < 2:
        return None
    choices = []
    for name in variants:
        with contextlib.suppress(Uncovered):
            choices.append(Choice(name, select(name, variants, machine, root)))
    telling = find_telling(choices, variants)
    installed = {name: found.version for name, found in list_installed().items() if name in telling}
    if not installed:
        return None
    fitting = [choice for choice in choices if all(is_version(installed, package) for package in choice.packages)]
    if len(fitting) == 1:
        return fitting[0]
    found = ", ".join(f"{name} {version}" for name, version in sorted(installed.items()))
    if fitting:
        names = ", ".join(f"`{choice.variant}`" for choice in fitting)
        hint = f"pass `-C {SETTING}=NAME` to the frontend, or set `{VARIABLE}`"
        raise Refused(f"the build environment has {found}, which fits {names}", hint)
    held = [(choice.variant, package) for choice in choices for package in choice.packages if package.name in installed]
    lines = "".join(f"\n  {variant}: {package.name} {package.version}" for variant, package in held)
    # The same accelerator, of another version: the runtime has moved on.
    labels = {version.partition("+")[2] for version in installed.values()}
    moved = dict.fromkeys(variant for variant, package in held if package.version.partition("+")[2] in labels)
    options = " ".join(f"--variant {name}" for name in moved) or "--all"
    raise Refused(
        f"the build environment has the runtime's {found}, which no variant locks:{lines}",
        f"lock again, to match the runtime: `buildlock lock {options}`",
    )


def find_telling(choices: list[Choice], variants: Mapping[str, Any]) -> set[str]:
    """The packages of which variants have different versions: those that a source assigns to an index, if any."""
    versions: dict[str, set[Version]] = {}
    for choice in choices:
        for package in choice.packages:
            versions.setdefault(package.name, set()).add(parse_version(package.version))
    assigned: set[str] = set()
    for name in variants:
        inputs = take(variants[name], "inputs", dict, f"variants.{name}", {})
        assigned.update(take(inputs, "indexes", dict, f"variants.{name}.inputs", {}))
    telling = {name for name, found in versions.items() if len(found) > 1}
    return telling & assigned or telling - {"pip", "setuptools", "wheel"}


def is_version(installed: Mapping[str, str], package: Locked) -> bool:
    """Whether a package is there as locked, or not there at all."""
    found = installed.get(package.name)
    return found is None or same_version(found, package.version)


# --- the locked packages ---------------------------------------------------------------------------------------------


class Locked(NamedTuple):
    """One package of the lock, as this interpreter gets it."""

    name: str
    version: str
    url: str
    """With its hash, or at a commit."""
    unlocked: str = ""
    """What is not locked about it, where it has to be built: the end of a sentence."""


_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_URL = re.compile(r"[a-z]+://[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_SUBDIRECTORY = re.compile(r"[A-Za-z0-9._/-]+", re.ASCII)
_WHEEL = re.compile(
    r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-\d[^-]*)?-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl"
)
_KINDS = ("vcs", "directory", "archive", "wheels", "sdist")
_NESTED = (
    "is built by the frontend, which resolves what that takes by itself: to build it in its locked environment too, "
    "use `buildlock build`, or `buildlock install` and a frontend without build isolation"
)
_FOLDER = f"is a folder, whose content no frontend verifies, and {_NESTED}"


def select(variant: str, variants: Mapping[str, Any], machine: Machine, root: Path) -> list[Locked]:
    """What PEP 751 ("Installation") selects of a variant for this interpreter, sorted by name."""
    table = take(variants, variant, dict, "variants")
    where = f"variants.{variant}"
    environments = take_strings(table, "environments", where)
    covering = [text for text in environments if evaluate(text, machine.markers)]
    if not covering:
        lines = "".join(f"\n  {text}" for text in environments)
        hint = f"lock for it: `buildlock lock --variant {variant} --python {machine.markers['python_version']}`"
        raise UncoveredVariant(f"`{variant}` is not locked for {machine}; it is for{lines}", variant, hint)
    selected: dict[str, Locked] = {}
    for position, entry in enumerate(take(table, "packages", list, where, [])):
        path = f"{where}.packages[{position}]"
        if not isinstance(entry, dict):
            raise Refused(f"`{LOCK}`: `{path}` is not a table")
        marker = take(entry, "marker", str, path, "")
        if marker and not evaluate(marker, machine.markers):
            continue
        package = select_file(entry, path, variant, machine, root)
        if package.name in selected:
            raise Refused(
                f"`{LOCK}` selects `{package.name}` twice for {machine}", f"run `buildlock lock --variant {variant}`"
            )
        selected[package.name] = package
    return [selected[name] for name in sorted(selected)]


def select_file(entry: Table, path: str, variant: str, machine: Machine, root: Path) -> Locked:
    """The file, commit or folder of an entry."""
    name, version = take(entry, "name", str, path), take(entry, "version", str, path)
    if not _NAME.fullmatch(name) or _VERSION.fullmatch(version) is None:
        raise Refused(f"`{LOCK}`: `{path}` has no valid name and version")
    kinds = {kind for kind in _KINDS if kind in entry}
    if len(kinds) != 1 and kinds != {"wheels", "sdist"}:
        raise Refused(f"`{LOCK}`: `{path}` must have wheels and an sdist, an archive, a commit or a folder")
    if "vcs" in kinds:
        return Locked(name, version, describe_commit(take(entry, "vcs", dict, path), f"{path}.vcs", root), _NESTED)
    if "directory" in kinds:
        return Locked(name, version, describe_folder(take(entry, "directory", dict, path), path, root), _FOLDER)
    archive = take(entry, "archive", dict, path, {})
    filename = filename_of(archive, f"{path}.archive") if archive else ""
    if archive and not filename.endswith(".whl"):
        url = describe_file(archive, f"{path}.archive", root)
        return Locked(name, version, url + describe_subdirectory(archive, f"{path}.archive", "&"), _NESTED)
    wheels = [(archive, f"{path}.archive")] if archive else list_wheels(entry, path)
    ranks = {}
    for wheel, place in wheels:
        ranks[place] = rank(read_wheel(filename_of(wheel, place), name, version, place), machine)
    fitting = [each for each in wheels if ranks[each[1]] < len(machine.tags)]
    if fitting:
        wheel, place = min(fitting, key=lambda each: ranks[each[1]])
        return Locked(name, version, describe_file(wheel, place, root))
    if "sdist" in kinds:
        return Locked(name, version, describe_file(take(entry, "sdist", dict, path), f"{path}.sdist", root), _NESTED)
    raise uncovered_file(name, version, [filename_of(*wheel) for wheel in wheels], variant, machine)


def list_wheels(entry: Table, path: str) -> list[tuple[Table, str]]:
    """The wheels of an entry, each with its place."""
    wheels = take(entry, "wheels", list, path, [])
    if not all(isinstance(wheel, dict) for wheel in wheels):
        raise Refused(f"`{LOCK}`: `{path}.wheels` is not an array of tables")
    return [(wheel, f"{path}.wheels[{position}]") for position, wheel in enumerate(wheels)]


def uncovered_file(name: str, version: str, filenames: list[str], variant: str, machine: Machine) -> Uncovered:
    held = ", ".join(f"`{each}`" for each in filenames[:10]) or "none"
    hint = f"lock for it: `buildlock lock --variant {variant} --python {machine.markers['python_version']}`"
    return UncoveredVariant(
        f"`{variant}` has no wheel of `{name}` {version} that fits {machine}: {held}", variant, hint
    )


def filename_of(file: Table, path: str) -> str:
    name = take(file, "name", str, path, "")
    place = take(file, "url", str, path, "") or take(file, "path", str, path, "")
    return name or unquote(place.partition("?")[0] if "://" in place else place).rpartition("/")[2]


def describe_file(file: Table, path: str, root: Path) -> str:
    """The URL of a file, with its sha256."""
    digest = take(take(file, "hashes", dict, path), "sha256", str, f"{path}.hashes")
    if not _SHA256.fullmatch(digest):
        raise Refused(f"`{LOCK}`: `{path}` has no sha256 of 64 lower-case hexadecimal digits")
    if ("url" in file) == ("path" in file):
        raise Refused(f"`{LOCK}`: `{path}` must have either a `url` or a `path`")
    remote = "url" in file
    place = take(file, "url" if remote else "path", str, path)
    return f"{check_url(place, path) if remote else locate(place, root, path)}#sha256={digest}"


def check_url(url: str, path: str, schemes: tuple[str, ...] = ("http", "https")) -> str:
    """A URL with a host, and without credentials or a fragment."""
    try:
        parts = urlsplit(url)
        # The name of a user of `ssh` is no secret.
        user = parts.scheme == "ssh" and parts.password is None
        valid = _URL.fullmatch(url) is not None and parts.scheme in schemes and parts.port != 0
        valid = valid and bool(parts.hostname) and (user or "@" not in parts.netloc) and "@-" not in f"@{parts.netloc}"
    except ValueError:
        valid = False
    if not valid:
        raise Refused(f"`{LOCK}`: `{path}` has a URL that is none, or not one of {', '.join(schemes)}: {url[:200]!r}")
    return url


def locate(relative: str, root: Path, path: str) -> str:
    """The `file:` URL of what lies relative to the lock."""
    if not relative.isprintable() or not relative or re.match(r"/|[A-Za-z]:", relative) or "\\" in relative:
        raise Refused(f"`{LOCK}`: `{path}` has a path that is not relative with forward slashes: {relative[:200]!r}")
    try:
        return (root / relative).resolve().as_uri()
    except (OSError, RuntimeError, ValueError) as error:
        raise Refused(f"`{LOCK}`: `{path}` has a path that cannot be followed: {error}") from error


def describe_commit(vcs: Table, path: str, root: Path) -> str:
    kind, commit = take(vcs, "type", str, path), take(vcs, "commit-id", str, path)
    if kind != "git" or not _COMMIT.fullmatch(commit):
        raise Refused(f"`{LOCK}`: `{path}` is not a full commit of git")
    if ("url" in vcs) == ("path" in vcs):
        raise Refused(f"`{LOCK}`: `{path}` must have either a `url` or a `path`")
    if "url" in vcs:
        url = check_url(take(vcs, "url", str, path), path, ("http", "https", "ssh"))
    else:
        url = locate(take(vcs, "path", str, path), root, path)
    return f"git+{url}@{commit}{describe_subdirectory(vcs, path, '#')}"


def describe_folder(directory: Table, path: str, root: Path) -> str:
    path = f"{path}.directory"
    describe_subdirectory(directory, path, "")  # it must not lead out
    parts = (take(directory, "path", str, path), take(directory, "subdirectory", str, path, ""))
    return locate("/".join(filter(None, parts)), root, path)


def describe_subdirectory(table: Table, path: str, separator: str) -> str:
    folder = take(table, "subdirectory", str, path, "")
    if folder and (not _SUBDIRECTORY.fullmatch(folder) or ".." in folder.split("/") or folder.startswith("/")):
        raise Refused(f"`{LOCK}`: `{path}` has a subdirectory that is none: {folder[:200]!r}")
    return f"{separator}subdirectory={folder}" if folder else ""


def read_wheel(filename: str, name: str, version: str, path: str) -> list[str]:
    """The tags of a wheel, which must be one of this package and version."""
    # The parts of a compressed tag set multiply: a long name can mean millions. A URL can hide a line break in it.
    sound = len(filename) <= MAX_FILENAME and filename.count(".") <= MAX_DOTS and filename.isprintable()
    match = _WHEEL.fullmatch(filename) if sound else None
    if (
        match is None
        or normalize(match["name"]) != name
        or not same_version(match["version"].replace("_", "-"), version)
    ):
        raise Refused(f"`{LOCK}`: `{path}`: {filename[:200]!r} is not a wheel of `{name}` {version}")
    parts = (match[part].lower().split(".") for part in ("python", "abi", "platform"))
    return ["-".join(each) for each in itertools.product(*parts)]


def rank(tags: list[str], machine: Machine) -> int:
    """How well a wheel fits: 0 for the best tag; beyond all tags where it does not."""
    return min(machine.tags.get(tag, len(machine.tags)) for tag in tags)


# --- is it the locked environment? -----------------------------------------------------------------------------------


def check_requirements(choice: Choice, project: Project, table: Table, machine: Machine) -> None:
    """Refuse a lock that the project has moved away from: a requirement that it does not hold."""
    variant = choice.variant
    inputs = take(table, "inputs", dict, f"variants.{variant}", {})
    path = f"variants.{variant}.inputs"
    overridden = {parse_requirement(text).name for text in take_strings(inputs, "overrides", path, [])}
    dynamic = take(inputs, "dynamic", dict, path, {})
    recorded = [text for key in dynamic for text in take_strings(dynamic, key, f"{path}.dynamic")]
    versions = {package.name: package.version for package in choice.packages}
    required = [
        *project.requirements(variant),
        *map(parse_requirement, [*take_strings(inputs, "requires", path, []), *recorded]),
    ]
    for each in required:
        if each.marker and not evaluate(each.marker, machine.markers):
            continue
        held = versions.get(each.name)
        if held is None and each.name not in overridden:
            raise Refused(
                f"the build requires `{each.text}`, which `{variant}` does not lock",
                f"run `buildlock lock --variant {variant}`",
            )
        if held is not None and each.name not in overridden and not satisfies(held, each.specifiers):
            raise Refused(
                f"the build requires `{each.text}`, and `{variant}` locks {held}",
                f"run `buildlock lock --variant {variant}`",
            )


def check_installed(choice: Choice) -> None:
    """Refuse a build environment that is not the locked one.

    Each locked package must be there in its version, and all that they require must be locked: otherwise the frontend
    has resolved it by itself.
    """
    installed = list_installed()
    faults = []
    for package in choice.packages:
        found = installed.get(package.name)
        if found is None:
            faults.append(f"`{package.name}` {package.version} is not there")
        elif not same_version(found.version, package.version):
            faults.append(f"`{package.name}` is {found.version}, and locked is {package.version}")
    if not faults:
        faults = find_unlocked({package.name: installed[package.name] for package in choice.packages})
    if faults:
        lines = "".join(f"\n  - {fault}" for fault in faults[:20])
        hint = (
            f"if the lock lacks something, run `buildlock lock --variant {choice.variant}`; "
            "without build isolation, build in what `buildlock install` prepares"
        )
        raise Refused(f"this is not the build environment that `{choice.variant}` locks:{lines}", hint)


def find_unlocked(locked: Mapping[str, importlib.metadata.Distribution]) -> list[str]:
    """What the locked packages require, by their own metadata, and the lock does not hold."""
    markers = Machine.read_markers()
    faults = []
    asked = {(name, "") for name in locked}
    waiting = sorted(asked)
    while waiting:
        name, extra = waiting.pop()
        for text in locked[name].requires or ():
            each = parse_requirement(text)
            if not applies(each.marker, {**markers, "extra": extra}):
                continue
            if each.name not in locked:
                faults.append(f"`{name}` requires `{each.name}`, which is not locked")
                continue
            new = {(each.name, wanted) for wanted in each.extras} - asked
            asked |= new
            waiting += new
    return sorted(set(faults))


def applies(marker: str, markers: Mapping[str, str]) -> bool:
    """Whether a requirement counts; one whose marker nobody understands does."""
    try:
        return not marker or evaluate(marker, markers)
    except Refused:
        return True


def list_installed() -> dict[str, importlib.metadata.Distribution]:
    """The distributions on `sys.path`, by name. The first of a name is the one that is imported."""
    importlib.invalidate_caches()
    found: dict[str, importlib.metadata.Distribution] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(normalize(name), distribution)
    return found


# --- requirements, versions, markers (PEP 508, PEP 440) --------------------------------------------------------------


class Requirement(NamedTuple):
    text: str
    name: str
    extras: tuple[str, ...]
    specifiers: str
    marker: str


_REQUIREMENT = re.compile(
    r"\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[(?P<extras>[^\]]*)\])?\s*"
    r"(?:@\s*(?P<url>\S+)(?:\s+;(?P<after>.*))?|\(?(?P<specifiers>[^;@()]*)\)?\s*(?:;(?P<marker>.*))?)\s*",
    re.ASCII | re.DOTALL,
)
_VERSION = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)(?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_n>\d*))?"
    r"(?P<post>-(?P<post_i>\d+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post_n>\d*))?(?P<dev>[-_.]?dev[-_.]?(?P<dev_n>\d*))?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?",
    re.ASCII | re.IGNORECASE,
)
_SPECIFIER = re.compile(r"\s*(===|==|~=|!=|<=|>=|<|>)\s*([^\s,]+)\s*")
_PRE = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}
_LATEST = float("inf")
_FINAL = (3, 0)
"""After all pre-releases."""
_DEVELOPMENT = (-1, 0)
"""Before all pre-releases."""


class Version(NamedTuple):
    """Compares as PEP 440 says."""

    epoch: int
    release: tuple[int, ...]
    """Without zeros at the end."""
    pre: tuple[int, int]
    post: int
    dev: float
    local: tuple[tuple[int, int, str], ...]

    @property
    def public(self) -> Version:
        return self._replace(local=())

    @property
    def is_early(self) -> bool:
        """Whether it is a pre-release or a development release."""
        return self.pre < _FINAL or self.dev != _LATEST

    @property
    def base(self) -> tuple[int, tuple[int, ...]]:
        return self.epoch, self.release


def normalize(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_requirement(text: str) -> Requirement:
    match = _REQUIREMENT.fullmatch(text)
    if match is None:
        raise Refused(f"{text[:200]!r} is not a requirement")
    extras = tuple(normalize(extra.strip()) for extra in (match["extras"] or "").split(",") if extra.strip())
    marker = (match["marker"] or match["after"] or "").strip()
    return Requirement(text, normalize(match["name"]), extras, (match["specifiers"] or "").strip(), marker)


def parse_version(text: str) -> Version:
    match = _VERSION.fullmatch(text.strip())
    if match is None or len(text) > 200:
        raise Refused(f"{text[:200]!r} is not a version")
    release = tuple(map(int, match["release"].split(".")))
    while len(release) > 1 and not release[-1]:
        release = release[:-1]
    has_dev, has_post = match["dev"] is not None, match["post"] is not None
    if match["pre"]:
        pre = (_PRE[match["pre"].lower()], int(match["pre_n"] or 0))
    else:
        pre = _DEVELOPMENT if has_dev and not has_post else _FINAL
    local = re.split(r"[-_.]", match["local"].lower()) if match["local"] else []
    return Version(
        epoch=int(match["epoch"] or 0),
        release=release,
        pre=pre,
        post=int(match["post_i"] or match["post_n"] or 0) if has_post else -1,
        dev=int(match["dev_n"] or 0) if has_dev else _LATEST,
        local=tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in local),
    )


def same_version(one: str, other: str) -> bool:
    return parse_version(one) == parse_version(other)


def satisfies(version: str, specifiers: str) -> bool:
    """Whether all specifiers admit a version; pre-releases count as any other."""
    for specifier in filter(None, (each.strip() for each in specifiers.split(","))):
        match = _SPECIFIER.fullmatch(specifier)
        if match is None:
            raise Refused(f"{specifier[:200]!r} is not a version specifier")
        if not compare(version, match[1], match[2]):
            return False
    return True


def compare(left: str, operator: str, right: str) -> bool:  # noqa: PLR0911 - one for each operator
    """Whether `left OPERATOR right` holds for two versions."""
    if operator == "===":
        return left.lower() == right.lower()
    version = parse_version(left)
    if operator in ("==", "!="):
        if right.endswith(".*"):
            return begins(version, right[:-2]) == (operator == "==")
        bound = parse_version(right)
        return ((version if bound.local else version.public) == bound) == (operator == "==")
    bound = parse_version(right)
    if operator == "~=":
        return version.public >= bound and begins(version, series_of(right))
    if operator in ("<=", ">="):
        return version.public <= bound if operator == "<=" else version.public >= bound
    # `<1.0` does not admit a pre-release of 1.0, nor `>1.0` a post-release or a local version of it.
    if operator == "<":
        return version < bound and (bound.is_early or not version.is_early or version.base != bound.base)
    late = (version.post >= 0 and bound.post < 0) or bool(version.local)
    return version > bound and not (late and version.base == bound.base)


def series_of(text: str) -> str:
    """The series that `~=` stays in: `1.4` of `1.4.2rc1`."""
    match = re.match(r"v?((?:\d+!)?\d+(?:\.\d+)*)\.\d+", text)
    if match is None:
        raise Refused(f"`~={text[:200]}` is not a version specifier")
    return match[1]


def begins(version: Version, prefix: str) -> bool:
    """Whether a version is one of the series `1.2.*`."""
    match = re.fullmatch(r"v?(?:(\d+)!)?(\d+(?:\.\d+)*)", prefix)
    if match is None:
        raise Refused(f"`{prefix[:200]}.*` is not a version specifier that is understood here")
    wanted = tuple(map(int, match[2].split(".")))
    release = version.release + (0,) * len(wanted)
    return version.epoch == int(match[1] or 0) and release[: len(wanted)] == wanted


_TOKEN = re.compile(r"\s*(?:(?P<text>'[^']*'|\"[^\"]*\")|(?P<op>===|==|~=|!=|<=|>=|<|>|[()])|(?P<word>[a-z][a-z_.]*))")
_VERSIONED = ("python_version", "python_full_version", "implementation_version", "platform_release")
_ALIASES = {
    "os.name": "os_name",
    "sys.platform": "sys_platform",
    "platform.version": "platform_version",
    "platform.machine": "platform_machine",
    "platform.python_implementation": "platform_python_implementation",
    "python_implementation": "platform_python_implementation",
}


def evaluate(marker: str, markers: Mapping[str, str]) -> bool:
    """Whether an environment marker is true (PEP 508)."""
    tokens = []
    position, end = 0, len(marker.rstrip())
    while position < end:
        match = _TOKEN.match(marker, position)
        if match is None:
            refuse_marker(marker)
        position = match.end()
        tokens.append(match[0].strip())
    if len(tokens) > 5000 or not tokens:
        refuse_marker(marker)
    try:
        value = evaluate_or(tokens, marker, markers)
    except RecursionError:
        refuse_marker(marker)
    if tokens:
        refuse_marker(marker)
    return value


def refuse_marker(marker: str) -> NoReturn:
    raise Refused(f"{marker[:200]!r} is not an environment marker that is understood here")


def evaluate_or(tokens: list[str], marker: str, markers: Mapping[str, str]) -> bool:
    value = evaluate_and(tokens, marker, markers)
    while tokens[:1] == ["or"]:
        tokens.pop(0)
        value = evaluate_and(tokens, marker, markers) or value
    return value


def evaluate_and(tokens: list[str], marker: str, markers: Mapping[str, str]) -> bool:
    value = evaluate_clause(tokens, marker, markers)
    while tokens[:1] == ["and"]:
        tokens.pop(0)
        value = evaluate_clause(tokens, marker, markers) and value
    return value


def evaluate_clause(tokens: list[str], marker: str, markers: Mapping[str, str]) -> bool:
    if tokens[:1] == ["("]:
        tokens.pop(0)
        value = evaluate_or(tokens, marker, markers)
        if tokens[:1] != [")"]:
            refuse_marker(marker)
        tokens.pop(0)
        return value
    if len(tokens) > 3 and tokens[1:3] == ["not", "in"]:
        tokens[1:3] = ["not in"]
    if len(tokens) < 3:
        refuse_marker(marker)
    left, operator, right = tokens[:3]
    del tokens[:3]
    variables = [_ALIASES.get(each, each) for each in (left, right) if each[0] not in "'\""]
    if len(variables) != 1 or variables[0] not in markers:
        refuse_marker(marker)
    key = variables[0]
    left, right = (each[1:-1] if each[0] in "'\"" else markers[key] for each in (left, right))
    if key == "extra":
        left, right = normalize(left), normalize(right)
    if operator in ("in", "not in"):
        return (left in right) == (operator == "in")
    # What is compared with something that is no version is text (PEP 508).
    if key in _VERSIONED and (operator == "===" or _VERSION.fullmatch(right[:-2] if right.endswith(".*") else right)):
        return compare(left, operator, right)
    if operator in ("==", "!="):
        return (left == right) == (operator == "==")
    refuse_marker(marker)


# --- this interpreter and platform (PEP 425, PEP 600, PEP 656) -------------------------------------------------------


class Machine:
    """What runs this: the values of markers, and the tags of wheels with their rank, 0 for the best."""

    def __init__(self) -> None:
        self.markers = self.read_markers()
        self.tags: dict[str, int] = {}
        for tag in list_tags():
            self.tags.setdefault(tag, len(self.tags))

    def __str__(self) -> str:
        tag = next(iter(self.tags))
        return f"{self.markers['platform_python_implementation']} {self.markers['python_full_version']} ({tag})"

    @staticmethod
    def read_markers() -> dict[str, str]:
        info = sys.implementation.version
        version = ".".join(map(str, info[:3])) + ("" if info[3] == "final" else f"{info[3][0]}{info[4]}")
        full = platform.python_version()
        return {
            "implementation_name": sys.implementation.name,
            "implementation_version": version,
            "os_name": os.name,
            "platform_machine": platform.machine(),
            "platform_python_implementation": platform.python_implementation(),
            "platform_release": platform.release(),
            "platform_system": platform.system(),
            "platform_version": platform.version(),
            # A build between two releases is `3.14.0a1+`, which is no version.
            "python_full_version": f"{full}local" if full.endswith("+") else full,
            "python_version": ".".join(platform.python_version_tuple()[:2]),
            "sys_platform": sys.platform,
        }


def list_tags() -> Iterator[str]:
    """The tags of the wheels that this interpreter takes, best first."""
    major, minor = sys.version_info[:2]
    platforms = list(list_platforms())
    if sys.implementation.name == "cpython":
        interpreter = f"cp{major}{minor}"
        yield from list_cpython(interpreter, minor, platforms)
    else:
        short = {"pypy": "pp"}.get(sys.implementation.name, sys.implementation.name)
        abi = read_abi()
        interpreter = f"{short}{sysconfig.get_config_var('py_version_nodot') or f'{major}{minor}'}"
        for each in dict.fromkeys((abi, "none")):
            yield from (f"{interpreter}-{each}-{on}" for on in platforms)
        interpreter = "pp3" if short == "pp" else ""
    pythons = [f"py{major}{minor}", f"py{major}", *(f"py{major}{each}" for each in range(minor - 1, -1, -1))]
    for python in pythons:
        yield from (f"{python}-none-{on}" for on in platforms)
    if interpreter:
        yield f"{interpreter}-none-any"
    yield from (f"{python}-none-any" for python in pythons)


def list_cpython(interpreter: str, minor: int, platforms: list[str]) -> Iterator[str]:
    threaded = "t" if minor >= 13 and sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    debug = sysconfig.get_config_var("Py_DEBUG")
    if debug is None:  # as on Windows
        debug = hasattr(sys, "gettotalrefcount")
    for abi in ([f"{interpreter}{threaded}d"] if debug else []) + [f"{interpreter}{threaded}"]:
        yield from (f"{interpreter}-{abi}-{on}" for on in platforms)
    stable = f"abi3{threaded}"
    yield from (f"{interpreter}-{stable}-{on}" for on in platforms)
    yield from (f"{interpreter}-none-{on}" for on in platforms)
    for older in range(minor - 1, 1, -1):
        yield from (f"cp3{older}-{stable}-{on}" for on in platforms)


def read_abi() -> str:
    """The ABI of an interpreter that is not CPython: `pypy310_pp73` of `.pypy310-pp73-x86_64-linux-gnu.so`."""
    parts = str(sysconfig.get_config_var("EXT_SUFFIX") or "").split(".")
    soabi = parts[1] if len(parts) > 2 else ""
    pieces = soabi.split("-")
    abi = "-".join(pieces[:2]) if soabi.startswith(("pypy", "graalpy")) else soabi or "none"
    return flatten("-".join(pieces[:3]) if soabi.startswith("graalpy") else abi)


def flatten(text: str) -> str:
    return re.sub(r"[-. ]", "_", text)


def list_platforms() -> Iterator[str]:
    system = platform.system()
    if system == "Darwin":
        yield from list_macos()
    elif system == "Linux":
        yield from list_linux()
    else:
        yield flatten(sysconfig.get_platform())


_MAC_FORMATS = {
    "arm64": ("arm64", "universal2"),
    "x86_64": ("x86_64", "intel", "fat64", "fat3", "universal2", "universal"),
}
"""The kinds of binaries that a Mac runs, best first. Python 3.8 and newer is on these alone."""


def list_macos() -> Iterator[str]:
    release, _, machine = platform.mac_ver()
    version = tuple(map(int, release.split(".")[:2]))
    if version == (10, 16):
        # What a Python that was built with an old SDK is told, whatever the version is.
        command = [sys.executable, "-sS", "-c", "import platform; print(platform.mac_ver()[0])"]
        answer = subprocess.run(command, check=True, env={"SYSTEM_VERSION_COMPAT": "0"}, stdout=subprocess.PIPE)
        version = tuple(map(int, answer.stdout.decode().strip().split(".")[:2]))
    formats = _MAC_FORMATS.get(machine, (machine,))
    for major in range(version[0], 10, -1):
        yield from (f"macosx_{major}_0_{each}" for each in formats)
    newest = 16
    if version < (11, 0):
        newest = version[1]
    elif machine != "x86_64":
        # Before macOS 11 there is nothing for ARM but the other half of what is for both.
        formats = ("universal2",)
    for minor in range(newest, 3, -1):
        yield from (f"macosx_10_{minor}_{each}" for each in formats)


_ANY_GLIBC = ("x86_64", "aarch64", "ppc64", "ppc64le", "s390x", "loongarch64", "riscv64")
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""What the level of a glibc was called before PEP 600."""
GLIBC = 2
"""The major version of every glibc there is."""


def list_linux() -> Iterator[str]:
    linux = flatten(sysconfig.get_platform())
    if struct.calcsize("P") == 4:
        linux = {"linux_x86_64": "linux_i686", "linux_aarch64": "linux_armv8l"}.get(linux, linux)
    if not linux.startswith("linux_"):
        yield linux
        return
    machine = linux[len("linux_") :]
    machines = ["armv8l", "armv7l"] if machine == "armv8l" else [machine]
    yield from (f"linux_{each}" for each in machines)
    elf = read_elf()
    for each in machines:
        if fits_glibc(machines, elf):
            yield from list_manylinux(each)
    musl = read_musl(elf)
    for each in machines:
        yield from (f"musllinux_{musl[0]}_{minor}_{each}" for minor in range(musl[1], -1, -1))


def fits_glibc(machines: list[str], elf: Elf) -> bool:
    if "armv7l" in machines:
        # Little-endian 32 bit ARM, the fifth EABI, floats in registers.
        return elf[:3] == (1, 1, 40) and elf.flags & 0xFF000000 == 0x05000000 and bool(elf.flags & 0x400)
    if "i686" in machines:
        return elf[:3] == (1, 1, 3)
    return any(each in _ANY_GLIBC for each in machines)


def list_manylinux(machine: str) -> Iterator[str]:
    major, newest = read_glibc()
    if major != GLIBC:
        return
    oldest = 5 if machine in ("x86_64", "i686") else 17
    for minor in range(newest, oldest - 1, -1):
        if is_manylinux(minor, machine):
            yield f"manylinux_{GLIBC}_{minor}_{machine}"
            if minor in _LEGACY:
                yield f"{_LEGACY[minor]}_{machine}"


def is_manylinux(minor: int, machine: str) -> bool:
    """What the distribution itself says of it (PEP 600)."""
    try:
        module = importlib.import_module("_manylinux")
    except ImportError:
        return True
    if hasattr(module, "manylinux_compatible"):
        answer = module.manylinux_compatible(GLIBC, minor, machine)
        return answer is None or bool(answer)
    return bool(getattr(module, f"{_LEGACY.get(minor, '')}_compatible", True))


def read_glibc() -> tuple[int, int]:
    """The version of the glibc that this process runs with; 0.0 for none."""
    text = ""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        text = (os.confstr("CS_GNU_LIBC_VERSION") or "").rpartition(" ")[2]
    if not text:
        try:
            ctypes = importlib.import_module("ctypes")  # not every Python has it
            ask = ctypes.CDLL(None).gnu_get_libc_version
            ask.restype = ctypes.c_char_p
            text = ask().decode()
        except (ImportError, OSError, AttributeError, TypeError):
            return 0, 0
    match = re.match(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


_ELF64 = 2
_PT_INTERP = 3


class Elf(NamedTuple):
    """What the header of the interpreter's binary says."""

    bits: int
    order: int
    machine: int
    flags: int
    loader: str


def read_elf() -> Elf:
    try:
        with Path(sys.executable).open("rb") as file:
            return parse_elf(file)
    except (OSError, TypeError, ValueError, IndexError, struct.error):
        return Elf(0, 0, 0, 0, "")


def parse_elf(file: BinaryIO) -> Elf:
    """Read the header and the name of the loader, which the one segment of its type holds."""
    head = file.read(64)
    if not head.startswith(b"\x7fELF"):
        return Elf(0, 0, 0, 0, "")
    bits, order = head[4], head[5]
    wide = bits == _ELF64
    sign = "<" if order == 1 else ">"
    header = struct.unpack_from(f"{sign}{'HHIQQQIHHH' if wide else 'HHIIIIIHHH'}", head, 16)
    machine, headers, flags, size, count = header[1], header[4], header[6], header[8], header[9]
    for number in range(count):
        file.seek(headers + size * number)
        segment = struct.unpack(f"{sign}{'IIQQQQQQ' if wide else 'IIIIIIII'}", file.read(56 if wide else 32))
        if segment[0] == _PT_INTERP:
            file.seek(segment[2 if wide else 1])
            name = file.read(min(segment[5 if wide else 4], 4096))
            return Elf(bits, order, machine, flags, os.fsdecode(name.strip(b"\0")))
    return Elf(bits, order, machine, flags, "")


def read_musl(elf: Elf) -> tuple[int, int]:
    """The version of the musl that this process runs with; (0, -1) for none. Its loader says it."""
    if "musl" in elf.loader:
        said = subprocess.run([elf.loader], check=False, stderr=subprocess.PIPE).stderr.decode("utf-8", "replace")
        match = re.match(r"\s*musl[^\n]*\s+Version (\d+)\.(\d+)", said)
        if match:
            return int(match[1]), int(match[2])
    return 0, -1


# --- files -----------------------------------------------------------------------------------------------------------


def warn(message: str) -> None:
    sys.stderr.write(f"buildlock: warning: {message}\n")
    sys.stderr.flush()


def describe(error: Refused) -> str:
    return str(error).replace("buildlock: error: ", "", 1)


_REQUIRED: Any = object()
_WORDS: dict[type, str] = {str: "a string", dict: "a table", list: "an array"}


def take(table: Mapping[str, Any], key: str, kind: type, where: str, default: Any = _REQUIRED) -> Any:
    """The value of a key, which must be of this kind."""
    path = f"{where}.{key}" if where else key
    if key not in table:
        if default is _REQUIRED:
            raise Refused(f"`{path}` is missing")
        return default
    if not isinstance(table[key], kind):
        raise Refused(f"`{path}` is not {_WORDS[kind]}")
    return table[key]


def take_strings(table: Mapping[str, Any], key: str, where: str, default: Any = _REQUIRED) -> list[str]:
    values = take(table, key, list, where, default)
    if not all(isinstance(value, str) for value in values):
        raise Refused(f"`{where}.{key}` is not an array of strings")
    return list(values)


def read_toml(path: Path, hint: str | None = None) -> Table:
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except FileNotFoundError:
        raise Refused(f"there is no `{path}`", hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"`{path}` cannot be read: {error}") from error
    try:
        return load_toml(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"`{path}` is not TOML: {error or 'it is nested too deeply'}") from error


def load_toml(text: str) -> Table:
    return Toml(text).read() if tomllib is None else tomllib.loads(text)


class Toml:
    """TOML 1.0 for a Python that has no `tomllib`. What is no string, boolean, array or table comes out as its text.

    It refuses less than the specification does, but never reads anything that is valid in another way.
    """

    _SPACE = re.compile(r"[ \t]*")
    _BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
    _END = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
    _BARE = re.compile(r"[A-Za-z0-9_-]+")
    _STRING = re.compile(
        r'"""\n?(?P<long>(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{0,2})"""'
        r"|'''\n?(?P<raw>(?:[^']|'{1,2}(?!'))*'{0,2})'''"
        r'|"(?P<basic>(?:[^"\\\n]|\\.)*)"'
        r"|'(?P<literal>[^'\n]*)'"
    )
    _SCALAR = re.compile(r"true|false|[+-]?(?:inf|nan)|\d{4}-\d\d-\d\d [\d:.]+[Zz\d:+-]*|[+-]?[0-9][0-9A-Za-z_.:+-]*")
    _ESCAPE = re.compile(r'\\(?:([btnfr"\\e])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|[ \t]*\n\s*)|\\')
    _SHORT: ClassVar = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\", "e": "\x1b"}

    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.position = 0
        self.root: Table = {}
        self.closed: set[int] = set()
        """The tables that are complete: those of headers and inline ones."""
        self.kept: list[Table] = []
        """Tables whose `id` must stay theirs."""

    def read(self) -> Table:
        table = self.root
        while True:
            self.skip(self._BLANK)
            if self.position >= len(self.text):
                return self.root
            if self.text.startswith("[", self.position):
                table = self.read_header()
            else:
                self.read_pair(table)
            if not self.skip(self._END):
                raise self.fault("more than a value stands in the line")

    def fault(self, what: str) -> ValueError:
        return ValueError(f"line {self.text.count(chr(10), 0, self.position) + 1}: {what}")

    def skip(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self.text, self.position)
        if match is None:
            return None
        self.position = match.end()
        return match[0] or " "

    def expect(self, character: str) -> None:
        if not self.text.startswith(character, self.position):
            raise self.fault(f"{character!r} is missing")
        self.position += len(character)

    def read_key(self) -> list[str]:
        keys = []
        while True:
            self.skip(self._SPACE)
            if self.text[self.position : self.position + 1] in ('"', "'"):
                keys.append(self.read_string())
            else:
                bare = self._BARE.match(self.text, self.position)
                if bare is None:
                    raise self.fault("a key is missing")
                self.position = bare.end()
                keys.append(bare[0])
            self.skip(self._SPACE)
            if not self.text.startswith(".", self.position):
                return keys
            self.position += 1

    def read_header(self) -> Table:
        many = self.text.startswith("[[", self.position)
        self.position += 2 if many else 1
        keys = self.read_key()
        self.expect("]]" if many else "]")
        table = self.descend(self.root, keys[:-1], through_arrays=True)
        if many:
            array = table.setdefault(keys[-1], [])
            if not isinstance(array, list) or id(array) in self.closed:
                raise self.fault(f"`{keys[-1]}` is not an array of tables")
            array.append({})
            return array[-1]  # type: ignore[no-any-return]
        new = table.setdefault(keys[-1], {})
        if not isinstance(new, dict) or id(new) in self.closed:
            raise self.fault(f"`{keys[-1]}` is there already")
        self.close(new)
        return new

    def close(self, value: Any) -> None:
        self.closed.add(id(value))
        self.kept.append(value)

    def descend(self, table: Table, keys: list[str], *, through_arrays: bool = False) -> Table:
        for key in keys:
            inner = table.setdefault(key, {})
            if isinstance(inner, list) and inner and through_arrays:
                inner = inner[-1]
            if not isinstance(inner, dict) or (not through_arrays and id(inner) in self.closed):
                raise self.fault(f"`{key}` is no table to add to")
            table = inner
        return table

    def read_pair(self, table: Table) -> None:
        keys = self.read_key()
        self.expect("=")
        self.skip(self._SPACE)
        value = self.read_value()
        table = self.descend(table, keys[:-1])
        if keys[-1] in table:
            raise self.fault(f"`{keys[-1]}` is there already")
        table[keys[-1]] = value

    def read_value(self) -> Any:
        character = self.text[self.position : self.position + 1]
        if character in ('"', "'"):
            return self.read_string()
        if character == "[":
            return self.read_array()
        if character == "{":
            return self.read_inline()
        scalar = self._SCALAR.match(self.text, self.position)
        if scalar is None:
            raise self.fault("a value is missing")
        self.position = scalar.end()
        return {"true": True, "false": False}.get(scalar[0], Text(scalar[0]))

    def read_string(self) -> str:
        match = self._STRING.match(self.text, self.position)
        if match is None:
            raise self.fault("a string has no end")
        self.position = match.end()
        if match["long"] is not None or match["basic"] is not None:
            return self._ESCAPE.sub(self.unescape, match["basic"] if match["long"] is None else match["long"])
        return match["literal"] if match["raw"] is None else match["raw"]

    def unescape(self, match: re.Match[str]) -> str:
        if match[1]:
            return self._SHORT[match[1]]
        if match[0] == "\\":
            raise self.fault("an escape is none of TOML")
        code = match[2] or match[3] or match[4]
        return chr(int(code, 16)) if code else ""

    def read_array(self) -> list[Any]:
        self.position += 1
        values: list[Any] = []
        while True:
            self.skip(self._BLANK)
            if self.text.startswith("]", self.position):
                break
            values.append(self.read_value())
            self.skip(self._BLANK)
            if not self.text.startswith(",", self.position):
                break
            self.position += 1
        self.expect("]")
        self.close(values)
        return values

    def read_inline(self) -> Table:
        self.position += 1
        table: Table = {}
        while True:
            self.skip(self._BLANK)
            if self.text.startswith("}", self.position):
                break
            self.read_pair(table)
            self.skip(self._BLANK)
            if not self.text.startswith(",", self.position):
                break
            self.position += 1
        self.expect("}")
        self.close(table)
        return table


class Text:
    """A number or a date, as it is written; none is needed here, and none may pass for a string."""

    def __init__(self, text: str) -> None:
        self.text = text
