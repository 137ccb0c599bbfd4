"""Every Python from 3.8 on that this machine has, for what runs in the Python that is built for."""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import packaging

ROOT = Path(__file__).parents[2]
_FIRST, _LAST = 8, 14
_SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import backend
try:
    from packaging.tags import sys_tags
except (ImportError, TypeError, SyntaxError):
    theirs = None
else:
    theirs = list(dict.fromkeys(map(str, sys_tags())))
read = {path: sorted(backend.read_toml(backend.Path(path))) for path in sys.argv[2:]}
print(json.dumps([sys.version_info[:2], list(backend.Machine().tags), theirs, backend.Machine().markers, read]))
"""


def find_pythons() -> list[str]:
    """The interpreters on PATH and under pyenv, one for each version."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {}
    for minor in range(_FIRST, _LAST + 1):
        candidates = [*map(str, pyenv.glob(f"3.{minor}.*/bin/python")), shutil.which(f"python3.{minor}")]
        for path in filter(None, candidates):
            ask = [path, "-c", "import sys; print(sys.version_info[1])"]
            said = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
            if said == str(minor):
                found[minor] = path
                break
    return list(found.values()) or [sys.executable]


PYTHONS = find_pythons()


@cache
def ask(python: str) -> dict[str, Any]:
    """What the backend says in another Python: its version, tags (and packaging's), markers, and keys of TOML files."""
    files = [str(ROOT / "pyproject.toml"), str(ROOT / "build-lock.toml")]
    path = str(Path(packaging.__file__).parents[1])
    command = [python, "-S", "-c", _SCRIPT, str(ROOT / "src" / "buildlock"), *files]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": path})
    version, tags, theirs, markers, read = json.loads(said.stdout)
    return {"version": tuple(version), "tags": tags, "packaging": theirs, "markers": markers, "read": read}
