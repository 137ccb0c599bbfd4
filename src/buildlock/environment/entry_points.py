"""entry_points.txt: the commands that a distribution declares (entry points specification)."""

import configparser
import keyword
import re
from typing import Literal

from buildlock.environment.entry_names import find_name_fault
from buildlock.values import dataclass

_SCRIPT_GROUPS: dict[str, Literal["console", "gui"]] = {"console_scripts": "console", "gui_scripts": "gui"}
_SCRIPT_NAME = re.compile(r"\w[\w.+ -]*")
_REFERENCE = re.compile(r"(?P<module>[\w.]+)(\s*:\s*(?P<attribute>[\w.]+))?(\s*\[[\w\s.,-]*\])?")


class InvalidEntryPointsError(ValueError):
    """An entry_points.txt that is refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A command that an entry point declares: a file of this name is to call `module:attribute`."""

    name: str
    module: str
    attribute: str
    kind: Literal["console", "gui"]


def parse_commands(text: str) -> tuple[Command, ...]:
    """The commands among the entry points; the others are only checked.

    Raises:
        InvalidEntryPointsError: The file is malformed, an object is not `module:attribute` made of identifiers, or
            a command's name is not safe as that of a file.
    """
    parser = configparser.RawConfigParser(delimiters=("=",), default_section="")
    parser.optionxform = str  # type: ignore[assignment] # names keep their case
    try:
        parser.read_string(text)
    except (configparser.Error, ValueError) as error:
        raise InvalidEntryPointsError(str(error).replace("\n", " ")) from error
    commands = []
    for group in parser.sections():
        for name, value in parser.items(group):
            module, attribute = _parse_reference(group, name, value)
            if kind := _SCRIPT_GROUPS.get(group):
                if not attribute:
                    raise InvalidEntryPointsError(f"`{name}` in [{group}] names no function")
                if not _SCRIPT_NAME.fullmatch(name) or find_name_fault(name):
                    raise InvalidEntryPointsError(f"`{name}` in [{group}] cannot be the name of a command")
                commands.append(Command(name=name, module=module, attribute=attribute, kind=kind))
    return tuple(commands)


def _parse_reference(group: str, name: str, value: str) -> tuple[str, str]:
    match = _REFERENCE.fullmatch(value)
    if match is None or not all(_is_dotted_name(part) for part in match.group("module", "attribute") if part):
        raise InvalidEntryPointsError(f"`{name}` in [{group}] refers to `{value}`, which is no object")
    return match["module"], match["attribute"] or ""


def _is_dotted_name(text: str) -> bool:
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in text.split("."))
