"""Zip archives for tests, and the damage that can be done to them.

>>> make_zip({"foo-1.0.dist-info/METADATA": b"Metadata-Version: 2.1"})
"""

import io
import zipfile
from collections.abc import Iterable, Mapping


def make_zip(
    members: Mapping[str, bytes] | Iterable[tuple[str, bytes]],
    *,
    compression: int = zipfile.ZIP_DEFLATED,
    comment: bytes = b"",
    prefix: bytes = b"",
) -> bytes:
    """`members` may be pairs, to give one name twice; `prefix` comes before the archive."""
    buffer = io.BytesIO(prefix)
    buffer.seek(len(prefix))
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items() if isinstance(members, Mapping) else members:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
        archive.comment = comment
    return buffer.getvalue()


def metadata_of(name: str = "foo", version: str = "1.0", *, requires: Iterable[str] = ()) -> bytes:
    fields = [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *fields, ""]).encode()
