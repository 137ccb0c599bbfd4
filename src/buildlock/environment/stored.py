"""An entry of the store: what is recorded of a wheel beside its unpacked files."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.environment.entry_points import Command
from buildlock.environment.linkage import Linkage, find_linkage
from buildlock.environment.record import RecordLine, encode_digest, write_record
from buildlock.environment.seal import SEAL, TREE, make_seal
from buildlock.environment.wheel import UnpackedFile, WheelFacts
from buildlock.errors import EnvironmentPreparationError
from buildlock.plain_files import read_plain
from buildlock.values import dataclass

MANIFEST: Final = "manifest.json"
FILES: Final = "files.json"
BYTECODE: Final = "bytecode.json"
"""The bytecode that we compiled, by path, with its sha256."""
UNCOMPILED: Final = "uncompiled"
"""The bytecode that commands have made for themselves, to be made by us."""
_INSTALLER: Final = b"buildlock\n"
DAMAGED: Final = "damaged"
"""Says that the entry is of no use any more, but to the environments that link to it."""

NOT_AS_WRITTEN: Final = (
    EnvironmentPreparationError,  # a link, or another user's folder
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)
"""What reading an entry raises that was changed; any other `OSError` says nothing about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredWheel:
    """A wheel in the store, complete and as it was when it was verified."""

    sha256: str
    facts: WheelFacts
    linkage: Linkage
    entry: Path
    """The folder of all that is kept of it."""
    record: str
    """The sha256 of what is recorded of its files."""
    written: bool = False
    """Whether commands have written into its folders: environments get copies of them."""
    uncompiled: bool = False
    """Whether commands have compiled something of it for themselves, which we have not."""

    @property
    def tree(self) -> Path:
        """The folder that it is unpacked in. Nothing may be written there."""
        return self.entry / TREE

    @property
    def name(self) -> NormalizedName:
        return self.facts.name

    @property
    def version(self) -> Version:
        return self.facts.version

    @property
    def filename(self) -> str:
        return self.facts.filename

    def read_files(self) -> tuple[UnpackedFile, ...]:
        """Every file of the wheel, as it was unpacked.

        Raises:
            EnvironmentPreparationError: What is recorded was changed.
        """
        try:
            content = read_plain(str(self.entry / FILES))
        except OSError as error:
            raise self._refuse(error.strerror or str(error)) from error
        except ValueError as error:
            raise self._refuse(str(error)) from error
        if hashlib.sha256(content).hexdigest() != self.record:
            raise self._refuse("it was changed")
        return tuple(
            UnpackedFile(
                line=RecordLine(path=path, algorithm=algorithm, digest=digest, size=size), executable=executable
            )
            for path, algorithm, digest, size, executable in json.loads(content)
        )

    def read_bytecode(self) -> Mapping[str, str]:
        """The bytecode that we compiled, by path, with its sha256; what is not recorded right is none."""
        try:
            known = json.loads(read_plain(str(self.entry / BYTECODE)))
        except (OSError, ValueError, RecursionError):
            return {}
        return known if isinstance(known, dict) else {}

    def _refuse(self, reason: str) -> EnvironmentPreparationError:
        return EnvironmentPreparationError(f"`{self.entry / FILES}` cannot be read: {reason}")


def write_entry(entry: Path, sha256: str, facts: WheelFacts, files: Sequence[UnpackedFile]) -> None:
    """Record what is unpacked in the folder `tree` of an entry, beside it.

    Raises:
        OSError: It cannot be written.
    """
    files = _describe_installed(entry / TREE, facts, files)
    lines = [[file.line.path, file.line.algorithm, file.line.digest, file.line.size, file.executable] for file in files]
    record = json.dumps(lines).encode()
    (entry / FILES).write_bytes(record)
    linkage = find_linkage(entry / TREE, files)
    body = json.dumps(
        {
            "sha256": sha256,
            "facts": asdict(facts) | {"version": str(facts.version)},
            "linkage": asdict(linkage),
            "files": hashlib.sha256(record).hexdigest(),
        }
    ).encode()
    # The first line lets a flipped bit in the manifest itself be found.
    (entry / MANIFEST).write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    (entry / SEAL).write_bytes(make_seal(str(entry / TREE), linked=False).write())


def _describe_installed(tree: Path, facts: WheelFacts, files: Sequence[UnpackedFile]) -> Sequence[UnpackedFile]:
    """Say in a wheel's own folder that it is installed, by us: in most environments that is all there is to say.

    RECORD has all but what goes elsewhere, which is added where there is any.
    """
    record, installer = f"{facts.dist_info}/RECORD", f"{facts.dist_info}/INSTALLER"
    kept = [file for file in files if file.line.path != record]
    kept.append(_write(tree, installer, _INSTALLER))
    elsewhere = f"{facts.data}/"
    library = [file.line for file in kept if not file.line.path.startswith(elsewhere)]
    return [*kept, _write(tree, record, write_record([*library, RecordLine(path=record)]).encode())]


def _write(tree: Path, path: str, content: bytes) -> UnpackedFile:
    (tree / path).write_bytes(content)
    digest = encode_digest(hashlib.sha256(content).digest())
    return UnpackedFile(
        line=RecordLine(path=path, algorithm="sha256", digest=digest, size=len(content)), executable=False
    )


def is_damaged(entry: Path) -> bool:
    """Whether an entry was found damaged, and is kept for the environments that link to it alone."""
    return os.path.lexists(entry / DAMAGED)


def read_wheel(entry: Path, sha256: str) -> StoredWheel:
    """The wheel in an entry as it is recorded; its files are not looked at.

    Raises:
        OSError: It cannot be read.
        ValueError, KeyError, TypeError, RecursionError: What is recorded was changed.
    """
    manifest = _read_manifest(entry)
    if manifest["sha256"] != sha256:
        raise ValueError("it is another wheel")
    linkage = manifest["linkage"]
    return StoredWheel(
        sha256=sha256,
        facts=_make_facts(manifest),
        linkage=Linkage(
            reaches={folder: tuple(targets) for folder, targets in linkage["reaches"].items()},
            programs=tuple(linkage["programs"]),
        ),
        entry=entry,
        record=manifest["files"],
    )


def read_facts(entry: Path) -> WheelFacts:
    """What the wheel in an entry says of itself; its files are not looked at.

    Raises:
        As `read_wheel`.
    """
    return _make_facts(_read_manifest(entry))


def _read_manifest(entry: Path) -> dict[str, Any]:
    checksum, _, body = read_plain(str(entry / MANIFEST)).partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != checksum:
        raise ValueError("its manifest was changed")
    manifest: dict[str, Any] = json.loads(body)
    return manifest


def _make_facts(manifest: dict[str, Any]) -> WheelFacts:
    facts = manifest["facts"]
    version, commands = Version(facts["version"]), tuple(Command(**command) for command in facts["commands"])
    return WheelFacts(**facts | {"version": version, "commands": commands})
