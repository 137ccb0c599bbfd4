"""What uv's and pip's environment variables say."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from packaging.utils import NormalizedName

from buildlock.project.choices import Choices
from buildlock.project.cutoffs import Cutoff, parse_cutoff
from buildlock.project.faults import Faults, suggest
from buildlock.project.indexes import make_index
from buildlock.project.model import BuildRequirement, Index
from buildlock.project.names import package_names
from buildlock.project.network_variables import read_pip_network, read_uv_network
from buildlock.project.requirements import read_requirements_file
from buildlock.project.settings import LINK_MODES, PRERELEASE_MODES, STRATEGIES, find_links
from buildlock.values import dataclass

# What changes the files that are chosen, or whom we trust to serve them.
_UNSUPPORTED_OF_UV = (
    *("UV_EXCLUDE", "UV_FORK_STRATEGY", "UV_KEYRING_PROVIDER", "UV_NO_SOURCES", "UV_NO_SOURCES_PACKAGE"),
    *("UV_REQUIRE_HASHES", "UV_RESOLUTION", "UV_TORCH_BACKEND"),
    # Places that are asked with credentials of another kind, and where uv keeps its own.
    *("UV_AZURE_ENDPOINT_URL", "UV_CREDENTIALS_DIR", "UV_GCS_ENDPOINT_URL", "UV_S3_ENDPOINT_URL"),
)
_UNSUPPORTED_OF_PIP = (
    *("PIP_CONFIG_SETTINGS", "PIP_KEYRING_PROVIDER", "PIP_PREFER_BINARY", "PIP_REQUIRE_HASHES"),
    "PIP_UPLOADED_PRIOR_TO",
)
_WITHOUT_EFFECT = frozenset(
    {
        *("UV_KEYRING_PROVIDER=disabled", "UV_KEYRING_PROVIDER=subprocess"),
        *("PIP_KEYRING_PROVIDER=auto", "PIP_KEYRING_PROVIDER=disabled", "PIP_KEYRING_PROVIDER=subprocess"),
        *("UV_RESOLUTION=highest", "UV_FORK_STRATEGY=requires-python"),
    }
)

_Choice = TypeVar("_Choice", bound=str)

_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off"})


def read_uv_variables(environ: Mapping[str, str], *, folder: Path, faults: Faults) -> Choices:
    """Read uv's variables; relative paths begin at `folder`. An empty variable is as good as none."""
    variables = _Variables(environ=environ, folder=folder, faults=faults)
    constraints, ignored = variables.requirements("UV_CONSTRAINT", "UV_BUILD_CONSTRAINT")
    overrides, also_ignored = variables.requirements("UV_OVERRIDE")
    return Choices(
        indexes=(
            # The legacy name gives way to the new one.
            *(variables.indexes("UV_DEFAULT_INDEX", default=True) or variables.indexes("UV_INDEX_URL", default=True)),
            *variables.indexes("UV_INDEX"),
        ),
        extra_indexes=variables.indexes("UV_EXTRA_INDEX_URL"),
        find_links=variables.links("UV_FIND_LINKS", separator=","),
        no_index=variables.boolean("UV_NO_INDEX"),
        index_strategy=variables.choice("UV_INDEX_STRATEGY", STRATEGIES),
        prerelease=variables.choice("UV_PRERELEASE", PRERELEASE_MODES),
        exclude_newer=variables.cutoff("UV_EXCLUDE_NEWER"),
        no_binary=variables.boolean("UV_NO_BINARY"),
        no_binary_package=variables.packages("UV_NO_BINARY_PACKAGE"),
        no_build=variables.boolean("UV_NO_BUILD"),
        no_build_package=variables.packages("UV_NO_BUILD_PACKAGE"),
        constraints=constraints,
        overrides=overrides,
        offline=variables.boolean("UV_OFFLINE"),
        link_mode=variables.choice("UV_LINK_MODE", LINK_MODES),
        network=read_uv_network(environ, folder=folder, faults=faults),
        unisolated=variables.unsupported(("UV_NO_BUILD_ISOLATION",)),
        unsupported=(*variables.unsupported(_UNSUPPORTED_OF_UV), *ignored, *also_ignored),
    )


def read_pip_variables(environ: Mapping[str, str], *, folder: Path, faults: Faults) -> Choices:
    """Read pip's variables, which count where uv's are silent."""
    variables = _Variables(environ=environ, folder=folder, faults=faults)
    constraints, ignored = variables.requirements("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")
    no_binary, no_binary_package = variables.formats("PIP_NO_BINARY")
    no_build, no_build_package = variables.formats("PIP_ONLY_BINARY")
    return Choices(
        indexes=variables.indexes("PIP_INDEX_URL", default=True),
        extra_indexes=variables.indexes("PIP_EXTRA_INDEX_URL"),
        find_links=variables.links("PIP_FIND_LINKS", separator=None),
        no_index=variables.boolean("PIP_NO_INDEX"),
        prerelease="allow" if variables.boolean("PIP_PRE") else None,
        no_binary=no_binary,
        no_binary_package=no_binary_package,
        no_build=no_build,
        no_build_package=no_build_package,
        constraints=constraints,
        network=read_pip_network(environ, folder=folder, faults=faults),
        unisolated=variables.unsupported(("PIP_NO_BUILD_ISOLATION",)),
        unsupported=(*variables.unsupported(_UNSUPPORTED_OF_PIP), *ignored),
    )


def is_set(environ: Mapping[str, str], name: str, faults: Faults) -> bool:
    """Whether the boolean variable `name` is true."""
    return read_switch(environ, name, faults) or False


def read_switch(environ: Mapping[str, str], name: str, faults: Faults) -> bool | None:
    """What the boolean variable `name` says; `None` where it is not set."""
    return _Variables(environ=environ, folder=Path(), faults=faults).boolean(name)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Variables:
    """The environment, read with a fault for each value that cannot be used."""

    environ: Mapping[str, str]
    folder: Path
    faults: Faults

    def boolean(self, name: str) -> bool | None:
        value = self.environ.get(name, "").strip().lower()
        if value and value not in _TRUE | _FALSE:
            self.faults.add(name, f"must be `true` or `false`, not `{value}`")
        return value in _TRUE if value in _TRUE | _FALSE else None

    def choice(self, name: str, choices: tuple[_Choice, ...]) -> _Choice | None:
        value = self.environ.get(name, "").strip()
        for choice in choices:
            if choice == value:
                return choice
        if value:
            allowed = ", ".join(f"`{choice}`" for choice in choices)
            self.faults.add(name, f"must be one of {allowed}, not `{value}`{suggest(value, choices)}")
        return None

    def words(self, name: str, separator: str | None = None) -> tuple[str, ...]:
        return tuple(word for each in self.environ.get(name, "").split(separator) if (word := each.strip()))

    def indexes(self, name: str, *, default: bool = False) -> tuple[Index, ...]:
        """Indexes as `url` or `name=url`; pip knows the first form only, but no URL looks like the second."""
        indexes = []
        for given in self.words(name):
            named = re.match(r"([A-Za-z0-9._-]+)=(.+)", given, re.ASCII)
            index = make_index(
                named[2] if named else given,
                folder=self.folder,
                origin=name,
                faults=self.faults,
                name=named[1] if named else None,
                default=default,
            )
            indexes += [index] if index else []
        if default and len(indexes) > 1:
            self.faults.add(name, "has more than one URL")
        return tuple(indexes)

    def links(self, name: str, *, separator: str | None) -> tuple[str, ...]:
        return find_links(self.words(name, separator), folder=self.folder, origin=name, faults=self.faults)

    def cutoff(self, name: str) -> Cutoff | None:
        value = self.environ.get(name, "").strip()
        if not value:
            return None
        try:
            return parse_cutoff(value)
        except ValueError as error:
            self.faults.add(name, f"is invalid: {error}")
            return None

    def packages(self, name: str) -> frozenset[NormalizedName]:
        return package_names(self.words(name), origin=name, faults=self.faults)

    def formats(self, name: str) -> tuple[bool | None, frozenset[NormalizedName]]:
        """Format control as pip knows it: `:all:`, `:none:`, which forgets what stands before it, or packages."""
        every: bool | None = None
        names: tuple[str, ...] = ()
        for word in re.split(r"[\s,]+", self.environ.get(name, "").strip()):
            if word == ":none:":
                every, names = None, ()
            elif word == ":all:":
                every, names = True, ()
            elif word:
                names += (word,)
        return every, package_names(names, origin=name, faults=self.faults)

    def requirements(self, *names: str) -> tuple[tuple[BuildRequirement, ...], tuple[str, ...]]:
        """The requirements of the files that the variables name, and what in them is not supported."""
        found: list[BuildRequirement] = []
        ignored: list[str] = []
        for name in names:
            for word in self.words(name):
                if "://" in word:
                    self.faults.add(name, f"names `{word}`, and URLs of requirements files are not supported yet")
                    continue
                requirements, unsupported = read_requirements_file(self.folder / word, faults=self.faults)
                found += requirements
                ignored += unsupported
        return tuple(found), tuple(ignored)

    def unsupported(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if self._has_effect(name))

    def _has_effect(self, name: str) -> bool:
        value = self.environ.get(name, "").strip()
        return bool(value) and value.lower() not in _FALSE and f"{name}={value}" not in _WITHOUT_EFFECT
