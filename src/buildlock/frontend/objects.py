"""Where setuptools keeps what it compiled: not in the project's folder, where another variant's build would find it."""

import configparser
from collections.abc import Mapping
from pathlib import Path

from buildlock.errors import EnvironmentPreparationError

VARIABLE = "DIST_EXTRA_CONFIG"
"""A configuration file that setuptools reads after the project's own (`setuptools._distutils.dist`)."""


class _Config(configparser.RawConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr  # as it is written


def divert_objects(folder: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The variables that make setuptools compile into `folder`, and everything anew.

    By default it compiles into `build` beside `setup.py` and reuses what is newer than its source there: an
    extension that was compiled against another variant's torch is.

    Args:
        folder: A folder of this build alone.
        environ: The backend's variables; a configuration file that the user named there still applies.

    Raises:
        EnvironmentPreparationError: That file cannot be read.
    """
    config = _Config()
    chosen = environ.get(VARIABLE)
    try:
        config.read([chosen] if chosen else [], encoding="utf-8")
    except (configparser.Error, ValueError, OSError) as error:
        raise EnvironmentPreparationError(f"`{chosen}`, named by `{VARIABLE}`, cannot be read: {error}") from error
    if not config.has_section("build"):
        config.add_section("build")
    config.set("build", "build_base", str(folder / "build"))
    config.set("build", "force", "1")
    path = folder / "distutils.cfg"
    with path.open("w", encoding="utf-8") as file:
        config.write(file)
    return {VARIABLE: str(path)}
