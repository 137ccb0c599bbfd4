"""The configuration files of uv and pip that belong to the user or the machine."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from buildlock.answers.looking import is_dir, is_readable_file
from buildlock.project.choices import Choices, merge_choices
from buildlock.project.document import Document, read_document, read_text
from buildlock.project.faults import Faults
from buildlock.project.indexes import make_index
from buildlock.project.model import Index
from buildlock.project.network import merge_networks
from buildlock.project.network_variables import read_pip_options
from buildlock.project.uv_settings import read_uv_settings
from buildlock.project.variables import is_set
from buildlock.values import dataclass


def reads_project_settings(environ: Mapping[str, str], faults: Faults) -> bool:
    """Whether uv would read the settings of the project: neither `UV_NO_CONFIG` nor `UV_CONFIG_FILE` is set."""
    return not is_set(environ, "UV_NO_CONFIG", faults) and not environ.get("UV_CONFIG_FILE")


def read_uv_files(environ: Mapping[str, str], faults: Faults) -> Choices:
    """Read `UV_CONFIG_FILE`, which stands in for all others, or the user's and the machine's uv.toml."""
    if chosen := environ.get("UV_CONFIG_FILE"):
        documents = [read_document(Path(chosen), label=chosen, faults=faults)]
    elif is_set(environ, "UV_NO_CONFIG", faults):
        documents = []
    else:
        documents = [_read_if_there(path, faults) for path in _uv_files(environ, faults) if path]
    return merge_choices([read_uv_settings(document.root_table(faults)) for document in documents if document])


def _uv_files(environ: Mapping[str, str], faults: Faults) -> list[Path | None]:
    """The user's and the machine's uv.toml, where uv looks for them."""
    if sys.platform == "win32":
        user = _folder(environ, "APPDATA")
        machine = [Path(f"{environ.get('SYSTEMDRIVE', 'C:')}\\ProgramData")]
    else:
        user = _config_home(environ)
        machine = [*_config_dirs(environ), Path("/etc")]
    files = [user / "uv/uv.toml" if user else None]
    if not is_set(environ, "UV_NO_SYSTEM_CONFIG", faults):
        files.append(next((path for folder in machine if _is_file(path := folder / "uv/uv.toml")), None))
    return files


def read_pip_index(environ: Mapping[str, str], faults: Faults) -> Index | None:
    """The `index-url` of pip's configuration files: it says where this machine gets its packages from.

    `extra-index-url` and `find-links` widen what pip may install into any environment; a project's lock must not
    follow them unseen. In the environment (`PIP_EXTRA_INDEX_URL` …) they count.
    """
    for section in _read_pip_sections(environ, faults):
        if url := section.options.get("index-url"):
            origin = section.place("index-url")
            return make_index(url.strip(), folder=section.folder, origin=origin, faults=faults, default=True)
    return None


def read_pip_files(environ: Mapping[str, str], faults: Faults) -> Choices:
    """What pip's configuration files say of the way to servers; with `index-url`, it is all that is taken from them."""
    sections = list(_read_pip_sections(environ, faults))
    return Choices(
        network=merge_networks(
            [
                read_pip_options(section.options, folder=section.folder, faults=faults, origin=section.place)
                for section in sections
            ]
        ),
        unsupported=tuple(
            section.place("keyring-provider")
            for section in sections
            if section.options.get("keyring-provider") == "import"
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _PipSection:
    """One section of one of pip's configuration files."""

    path: Path
    name: str
    options: Mapping[str, str]
    """By their long names, with dashes."""

    @property
    def folder(self) -> Path:
        return self.path.parent

    def place(self, option: str) -> str:
        return f"{self.path}: [{self.name}].{option}"


def _read_pip_sections(environ: Mapping[str, str], faults: Faults) -> Iterator[_PipSection]:
    """What pip's configuration files say of installing, the weightiest first."""
    for path in _pip_files(environ):
        text = read_text(path, label=str(path), faults=faults) if _is_file(path) else None
        if not text:
            continue
        import configparser  # noqa: PLC0415 - most have no such file

        parser = configparser.RawConfigParser()
        try:
            parser.read_string(text)
        except configparser.Error as error:
            faults.add(str(path), f"is not a configuration file of pip: {str(error).splitlines()[0]}")
            continue
        for name in ("install", "global"):
            if parser.has_section(name):
                options = {key.replace("_", "-"): value for key, value in parser.items(name)}
                yield _PipSection(path=path, name=name, options=options)


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    """The files that pip reads, the weightiest first: `PIP_CONFIG_FILE`, its own interpreter, the user, the machine."""
    chosen = environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:  # pip's documented way to have it read none
        return []
    files = [Path(chosen)] if chosen else []
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    files.append(Path(sys.prefix, name))
    home = _folder(environ, "USERPROFILE" if sys.platform == "win32" else "HOME")
    legacy = [home / ("pip" if sys.platform == "win32" else ".pip") / name] if home else []
    if sys.platform == "win32":
        user, machine = [_folder(environ, "APPDATA")], [_folder(environ, "PROGRAMDATA")]
    elif sys.platform == "darwin":
        support = home / "Library/Application Support" if home else None
        user = [support if support and is_dir(support / "pip") else _config_home(environ)]
        machine = [Path("/Library/Application Support")]
    else:
        user = [_config_home(environ)]
        machine = [*_config_dirs(environ)]
    files += [folder / "pip" / name for folder in user if folder]
    files += legacy
    if sys.platform not in {"win32", "darwin"}:
        files.append(Path("/etc") / name)
    files += [folder / "pip" / name for folder in machine if folder]
    return files


def _folder(environ: Mapping[str, str], variable: str) -> Path | None:
    value = environ.get(variable)
    return Path(value) if value else None


def _config_home(environ: Mapping[str, str]) -> Path | None:
    """The XDG Base Directory Specification: a relative path is to be ignored."""
    chosen, home = _folder(environ, "XDG_CONFIG_HOME"), _folder(environ, "HOME")
    if chosen and chosen.is_absolute():
        return chosen
    return home / ".config" if home else None


def _config_dirs(environ: Mapping[str, str]) -> list[Path]:
    given = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    return [path for entry in given.split(os.pathsep) if (path := Path(entry)).is_absolute()]


def _is_file(path: Path) -> bool:
    """Whether there is a file that we may look at: uv and pip pass over others in silence."""
    try:
        return is_readable_file(path)
    except (OSError, ValueError):
        return False


def _read_if_there(path: Path, faults: Faults) -> Document | None:
    return read_document(path, label=str(path), faults=faults) if _is_file(path) else None
