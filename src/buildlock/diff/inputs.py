"""What differs in what environments were resolved from: why the rest moved."""

from collections.abc import Iterator, Mapping

from buildlock.diff.model import Finding, Place
from buildlock.diff.quoting import quote, quote_all
from buildlock.lockfile.freshness import compare_inputs
from buildlock.lockfile.model import LockedInputs
from buildlock.lockfile.origins import find_insecure_server, list_insecure_hosts
from buildlock.values import replace


def compare_locked_inputs(old: LockedInputs, new: LockedInputs, place: Place) -> Iterator[Finding]:
    """A finding for each input that moved."""
    if old == new:
        return
    if old.backend != new.backend:
        yield Finding(
            code="backend-changed",
            message=f"{_name_backend(old.backend)} → {_name_backend(new.backend)}",
            before=old.backend,
            after=new.backend,
            places=(place,),
        )
    for sentence in compare_inputs(
        replace(LockedInputs(), dynamic=old.dynamic), replace(LockedInputs(), dynamic=new.dynamic)
    ):
        yield Finding(code="dynamic-changed", message=sentence, places=(place,))
    insecure = find_insecure_inputs(new)
    for server in sorted(insecure - find_insecure_inputs(old)):
        message = f"the project may ask {quote(server)}"
        yield Finding(code="insecure-index", message=message, after=server, places=(place,))
    for host in sorted({*map(str, list_insecure_hosts(new))} - {*map(str, list_insecure_hosts(old))}):
        message = f"the project asks {quote(host)} whatever certificate it shows"
        yield Finding(code="insecure-index", message=message, after=host, places=(place,))
    sentences = [
        *compare_inputs(replace(old, backend=None, dynamic={}), replace(new, backend=None, dynamic={})),
        *_compare_matches(old.match_runtime, new.match_runtime),
    ]
    for sentence in sentences or _notice_spelling(old, new):
        yield Finding(code="inputs-changed", message=sentence, places=(place,))


def find_insecure_inputs(inputs: LockedInputs) -> frozenset[str]:
    """The servers that the project's sources and settings have asked without encryption."""
    listed = [
        text
        for key in ("index", "find-links")
        if isinstance(texts := inputs.settings.get(key), tuple)
        for text in texts
    ]
    sources = [rule.partition(" ; ")[0].removeprefix("git+") for rules in inputs.indexes.values() for rule in rules]
    return frozenset(filter(None, map(find_insecure_server, [*listed, *sources])))


def _compare_matches(old: Mapping[str, tuple[str, ...]], new: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """What the runtime has of the packages that are matched with it; which those are is an input of its own."""
    for source in sorted(old.keys() & new.keys()):
        if old[source] != new[source]:
            gone = [text for text in old[source] if text not in new[source]]
            come = [text for text in new[source] if text not in old[source]]
            if gone and come:
                yield f"{quote(source)} has {quote_all(come)}: it had {quote_all(gone)}"


def _notice_spelling(old: LockedInputs, new: LockedInputs) -> Iterator[str]:
    """One sentence where what is the same is written in another way, such as `torch==2.4` for `torch==2.4.0`."""
    if replace(old, backend=new.backend, dynamic=new.dynamic) != new:
        yield "the inputs are the same, and written in another way"


def _name_backend(backend: str | None) -> str:
    return "the default" if backend is None else quote(backend)
