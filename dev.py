"""Run the project's tasks on a fresh machine: `python3 dev.py demo`, `python3 dev.py test`.

It needs Python 3.10 or newer with pip, and nothing else: it makes `.venv` with nox in it and hands the rest to
`noxfile.py`. A task is a tag there; `python3 dev.py --list` shows the sessions behind them.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
HOME = ROOT / ".venv"
PYTHON = HOME / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main() -> int:
    if not PYTHON.exists():
        venv.create(HOME, with_pip=True)
    if subprocess.run([PYTHON, "-c", "import nox, uv"], check=False, capture_output=True).returncode:
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "nox[uv]>=2025.2.9"], check=True)
    arguments = ["--list"] if sys.argv[1:] in ([], ["--list"]) else ["--tags", *sys.argv[1:]]
    return subprocess.run([PYTHON, "-m", "nox", *arguments], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
