"""However the files of the store come into an environment, it is the same."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildlock.environment.marker import is_unchanged, read_marker, seal_environment
from buildlock.environment.mending import expect_hard_links
from buildlock.environment.planning import Plan
from buildlock.environment.recipe import Recipe, follow
from buildlock.environment.seal import find_broken
from buildlock.environment.skeleton import Layout
from buildlock.environment.steps import Step
from buildlock.environment.store import Store
from buildlock.environment.stored import StoredWheel
from buildlock.errors import EnvironmentPreparationError
from buildlock.project.model import LinkMode
from buildlock.project.settings import LINK_MODES
from buildlock.reporting import silence
from support.wheel_forge import make_wheel

LAYOUT = Layout(python="bin/python", scripts="bin", purelib="lib/pure", platlib="lib/plat", headers="include")
SKELETON: Sequence[Step] = (
    *(("folder", name) for name in ("bin", "lib", "lib/pure", "lib/plat")),
    ("link", "lib64", "lib"),
    ("content", "pyvenv.cfg", b"home = /nowhere\n", False),
)
FOLDERS = ("", "space", "space/inner", "space/Größe", "{name}", "{name}/deep/er")
PLACES = ("{name}-1.0.data/data", "{name}-1.0.data/data/etc", "{name}-1.0.data/headers", "{name}-1.0.data/scripts")
CONTENTS = (b"", b"x = 1\n", b"#!python -s\nprint()\n", b"#!/bin/sh\n", b"\x7fELF")


@st.composite
def wheels(draw: st.DrawFn, name: str) -> tuple[str, bytes]:
    """A wheel with files that others may have folders, or names and content, in common with."""
    folders = st.sampled_from([each.format(name=name) for each in FOLDERS + PLACES])
    paths = st.builds("{}/{}".format, folders, st.sampled_from(["a.py", "b", f"{name}.py"])).map(
        lambda path: path.lstrip("/")
    )
    files = draw(st.dictionaries(paths, st.sampled_from(CONTENTS), min_size=1, max_size=8))
    programs = draw(st.sets(st.sampled_from(sorted(files))))
    scripts = draw(st.sampled_from([None, {f"run-{name}": f"{name}:main"}]))
    return make_wheel(name, files=files, programs=programs, scripts=scripts, purelib=draw(st.booleans()))


def add(store: Store, filename: str, content: bytes) -> StoredWheel:
    with store.scratch() as scratch:
        (scratch / filename).write_bytes(content)
        return store.add(scratch / filename, sha256=hashlib.sha256(content).hexdigest(), filename=filename)


def make(stored: Sequence[StoredWheel], root: Path, mode: LinkMode) -> None:
    if mode == "hardlink":
        expect_hard_links(stored)
    plan = Plan(SKELETON, LAYOUT, "posix", python="/python", mode=mode)
    for wheel in stored:
        plan.add(wheel)
    steps = [*SKELETON, *plan.finish()]
    entries = [str(wheel.entry) for wheel in stored]
    follow(Recipe(origin=b"{}", python="bin/python", entries=entries, steps=steps), str(root), str(root))


def read(root: Path) -> object:
    """What a program finds: every file, through links, and what is installed."""
    files = {
        str(content.relative_to(root)): (content.read_bytes(), os.access(content, os.X_OK))
        for folder, _, names in os.walk(root, followlinks=True)
        for name in names
        if name != ".buildlock" and (content := Path(folder, name))
    }
    installed = [
        (
            each.metadata["Name"],
            each.version,
            sorted((point.group, point.name, point.value) for point in each.entry_points),
            sorted((str(file), file.size, file.hash and file.hash.value) for file in each.files or ()),
            all(Path(str(file.locate())).is_file() for file in each.files or ()),
        )
        for folder in ("lib/pure", "lib/plat")
        for each in distributions(path=[str(root / folder)])
    ]
    return files, sorted(installed)


@pytest.mark.skipif(sys.platform == "win32", reason="a script is a program there")
@given(wheels("one"), wheels("two"))
@settings(max_examples=40, deadline=None)
def test_every_link_mode_gives_the_same_environment(one: tuple[str, bytes], two: tuple[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder, "store"), silence)
        stored = [add(store, *wheel) for wheel in (one, two)]
        found, refused = [], []
        for mode in LINK_MODES:
            root = Path(folder, "environment")  # scripts name it
            try:
                make(stored, root, mode)
            except EnvironmentPreparationError as error:
                refused.append(str(error))
                continue
            found.append(read(root))
            marker = read_marker(str(root))
            assert is_unchanged(str(root), marker)
            # What is known of it without a look is what a look tells.
            assert not marker.seal.find_changed(seal_environment(str(root), linked=marker.seal.linked))
            root.rename(Path(folder, mode))
        # All are the same, or none is made, for the same reason.
        assert (len(found), len(refused)) in {(len(LINK_MODES), 0), (0, len(LINK_MODES))}
        assert found[1:] == found[:-1]
        assert refused[1:] == refused[:-1]
        assert not find_broken([str(wheel.entry) for wheel in stored])
