"""Run one target under atheris; started by `python -m fuzz`."""

import hashlib
import importlib
import sys
from pathlib import Path


def main() -> None:
    atheris = importlib.import_module("atheris")  # it has no types, and is not there on every Python
    name, corpus, *options = sys.argv[1:]
    # Only what is under test: the rest would drown it.
    with atheris.instrument_imports(include=["buildlock", "packaging", "tomllib", "tomli"]):
        targets = importlib.import_module("fuzz.targets")
    target = targets.TARGETS[name]
    for seed in target.seeds():
        if len(seed) <= targets.LARGEST:
            Path(corpus, hashlib.sha256(seed).hexdigest()).write_bytes(seed)

    def run(content: bytes) -> None:
        target.run(content)

    atheris.Setup([sys.argv[0], corpus, *options], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
