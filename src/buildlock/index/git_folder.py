"""The `.git` of a tree that was checked out, for backends that ask git for the version or for the list of files.

It is made by hand and has nothing that could run code or lead elsewhere: no hooks, no remotes, no credentials. Objects
are those of the cache's repository, which is not copied.
"""

from collections.abc import Mapping
from pathlib import Path

from buildlock.index.git_command import Git

_CONFIGURATION = """[core]
	repositoryformatversion = {version}
	bare = false
	autocrlf = false
	eol = lf
"""
_LENGTH_OF_SHA256 = 64


def make_git_folder(tree: Path, repository: Path, commit: str) -> Path:
    """Make the `.git` of a tree, detached at a commit, without the history of it; its index is the caller's to write.

    Raises:
        OSError: It cannot be written.
    """
    folder = tree / ".git"
    sha256 = len(commit) == _LENGTH_OF_SHA256
    configuration = _CONFIGURATION.format(version=int(sha256))
    if sha256:
        configuration += "[extensions]\n\tobjectFormat = sha256\n"
    for name in ("objects/info", "refs/heads", "refs/tags"):
        (folder / name).mkdir(parents=True)
    for name, text in {
        "HEAD": commit,
        "config": configuration.rstrip("\n"),
        "objects/info/alternates": str(repository / "objects"),
        "shallow": commit,
    }.items():
        (folder / name).write_text(f"{text}\n", encoding="utf-8", newline="\n")
    return folder


def add_tags(git: Git, tree: Path, tags: Mapping[str, str]) -> None:
    """Give the `.git` of a tree tags, and the history that leads to them, if the cache has all of it.

    Args:
        git: The command.
        tree: Where `make_git_folder` has made one.
        tags: The hashes of commits and annotated tags, by name.

    Raises:
        OSError: It cannot be written.
    """
    folder = tree / ".git"
    lines = "".join(f"{tags[name]} refs/tags/{name}\n" for name in sorted(tags))
    (folder / "packed-refs").write_text(lines, encoding="utf-8", newline="\n")
    shallow = folder / "shallow"
    commit = shallow.read_text(encoding="utf-8")
    shallow.unlink()
    if not git.run(["rev-list", "--count", "HEAD"], repository=folder).succeeded:
        shallow.write_text(commit, encoding="utf-8", newline="\n")
