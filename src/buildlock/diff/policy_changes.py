"""What a change of the project's policy lets through, and what it stops."""

from collections.abc import Collection, Iterator
from datetime import timedelta

from buildlock.diff.ages import describe_span
from buildlock.diff.model import Finding, Place
from buildlock.diff.quoting import quote, quote_all
from buildlock.project.model import Allowance, Policy

_TABLE = quote("[tool.buildlock.policy]")


def compare_policies(old: Policy | None, new: Policy | None, places: tuple[Place, ...]) -> Iterator[Finding]:
    """A finding for each thing that one allows and the other does not; `None` is a policy that cannot be read.

    Args:
        old: What there was.
        new: What there is.
        places: Where they hold.
    """
    if old is None or new is None:
        loosened = [f"{_TABLE} cannot be read"] if old is not None else []
        tightened = [f"{_TABLE} can be read: it could not"] if new is not None else []
    else:
        loosened = list(_list_loosened(old, new))
        tightened = list(_list_tightened(old, new))
    for code, messages in (("policy-loosened", loosened), ("policy-tightened", tightened)):
        for message in messages:
            yield Finding(code=code, message=message, places=places)


def _list_loosened(old: Policy, new: Policy) -> Iterator[str]:
    if removed := _subtract(old.deny, new.deny):
        yield f"no longer denied: {quote_all(removed)}"
    for allowance in new.allow:
        if allowance not in old.allow:
            reason = quote(allowance.reason)
            yield f"{_name(allowance)} is allowed until {quote(allowance.expires)}: {reason}"
    yield from _list_opened_places(old, new)
    if old.sdists is not None and new.sdists is None:
        yield "any package may be built from source"
    elif added := _subtract(new.sdists, old.sdists):
        yield f"{quote_all(added)} may be built from source"
    if _age(new) < _age(old):
        yield f"files need to be {_describe_age(new)} old: it was {_describe_age(old)}"


def _list_tightened(old: Policy, new: Policy) -> Iterator[str]:
    if added := _subtract(new.deny, old.deny):
        yield f"denied: {quote_all(added)}"
    for allowance in old.allow:
        if allowance not in new.allow:
            yield f"{_name(allowance)} is no longer allowed until {quote(allowance.expires)}"
    yield from _list_closed_places(old, new)
    if new.sdists is not None and old.sdists is None:
        named = quote_all(sorted(new.sdists))
        yield f"only {named} may be built from source" if named else "nothing may be built from source"
    elif removed := _subtract(old.sdists, new.sdists):
        yield f"{quote_all(removed)} may no longer be built from source"
    if _age(new) > _age(old):
        yield f"files need to be {_describe_age(new)} old: it was {_describe_age(old)}"


def _list_opened_places(old: Policy, new: Policy) -> Iterator[str]:
    if old.indexes is not None and new.indexes is None:
        yield "packages may come from anywhere"
    elif added := _subtract(new.indexes, old.indexes):
        yield f"packages may come from {quote_all(added)}"
    if old.hosts is not None and new.hosts is None:
        yield "files may be on any host"
    elif added := _subtract(new.hosts, old.hosts):
        yield f"files may be on {quote_all(added)}"


def _list_closed_places(old: Policy, new: Policy) -> Iterator[str]:
    if new.indexes is not None and old.indexes is None:
        named = quote_all(new.indexes)
        yield f"packages may come from {named} alone" if named else "packages may come from nowhere"
    elif removed := _subtract(old.indexes, new.indexes):
        yield f"packages may no longer come from {quote_all(removed)}"
    if new.hosts is not None and old.hosts is None:
        named = quote_all(new.hosts)
        yield (
            f"files may be on {named} alone, beside the host of their index"
            if named
            else ("files may be on the host of their index alone")
        )
    elif removed := _subtract(old.hosts, new.hosts):
        yield f"files may no longer be on {quote_all(removed)}"


def _age(policy: Policy) -> timedelta:
    return policy.minimum_age or timedelta()


def _describe_age(policy: Policy) -> str:
    age = _age(policy)
    return describe_span(age) if age else "no time"


def _name(allowance: Allowance) -> str:
    package = f" of {quote(allowance.package)}" if allowance.package is not None else ""
    advisory = f" for {quote(allowance.id)}" if allowance.id is not None else ""
    return f"{quote(allowance.code)}{package}{advisory}"


def _subtract(listed: Collection[str] | None, known: Collection[str] | None) -> list[str]:
    """What is in a list and not in the other; nothing where one is no list, which is everything."""
    return sorted(set(listed) - set(known)) if listed is not None and known is not None else []
