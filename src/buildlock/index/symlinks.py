"""Symbolic links in a folder that comes from elsewhere, or goes elsewhere."""

import os
from pathlib import Path


def find_link_fault(link: Path, folder: Path, target: Path) -> str | None:
    """Why a symbolic link may not be in `folder`: it leads out of it, or nowhere else than to itself.

    Args:
        link: The link itself.
        folder: What it may not leave.
        target: What it says; that may be missing.
    """
    if target.is_absolute() or target.drive or target.root:
        return "is a link to an absolute path"
    try:
        # Not by the look of it: a link on the way can turn `..` into anything.
        resolved = Path(os.path.realpath(link.parent / target))
        if not resolved.is_relative_to(os.path.realpath(folder)):
            return "is a link that leads out of the folder"
        if resolved.is_symlink():
            return "is a link that leads in a circle"
    except (OSError, RuntimeError, ValueError) as error:
        return f"is a link that cannot be followed: {getattr(error, 'strerror', None) or error}"
    return None
