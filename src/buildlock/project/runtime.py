"""What the project installs at run time with an extra (PEP 621) or a dependency group (PEP 735)."""

from collections.abc import Iterator, Mapping

from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from buildlock.project.document import Table, describe_type
from buildlock.project.model import BuildRequirement
from buildlock.project.requirements import parse_requirement


class RuntimeDependencies:
    """The extras and groups of a project, by normalised name; their requirements are read when they are asked for."""

    def __init__(self, project: Table, groups: Table) -> None:
        """Read the names.

        Args:
            project: `[project]`.
            groups: `[dependency-groups]`.
        """
        self._name = project.string("name")
        self._extras = project.table("optional-dependencies")
        self._groups = groups
        self._extra_keys = _normalize_keys(self._extras, "extra")
        self._group_keys = _normalize_keys(groups, "group")
        # Without [project], metadata is the backend's secret, as with `dynamic`.
        self.extras_known = bool(tuple(project)) and "optional-dependencies" not in project.strings("dynamic")

    @property
    def name(self) -> str | None:
        return self._name

    @property
    def extras(self) -> frozenset[NormalizedName]:
        return frozenset(self._extra_keys)

    @property
    def groups(self) -> frozenset[NormalizedName]:
        return frozenset(self._group_keys)

    def spell_extra(self, name: NormalizedName) -> str:
        """The extra as it is declared."""
        return self._extra_keys.get(name, name)

    def spell_group(self, name: NormalizedName) -> str:
        """The group as it is declared."""
        return self._group_keys.get(name, name)

    def requirements_of_extra(self, name: NormalizedName) -> tuple[BuildRequirement, ...]:
        """What the extra requires, with the extras of the project that it names itself: `demo[fast]`."""
        return tuple(self._walk_extra(name))

    def _walk_extra(self, name: NormalizedName) -> Iterator[BuildRequirement]:
        waiting, seen = [name], set[NormalizedName]()
        while waiting:
            extra = waiting.pop(0)
            if extra in seen or extra not in self._extra_keys:
                continue
            seen.add(extra)
            for each in _read_list(self._extras, self._extra_keys[extra]):
                requirement = each.requirement
                if self._name is not None and canonicalize_name(requirement.name) == canonicalize_name(self._name):
                    waiting += sorted(canonicalize_name(other) for other in requirement.extras)
                else:
                    yield each

    def requirements_of_group(self, name: NormalizedName) -> tuple[BuildRequirement, ...]:
        """What the group requires, with the groups that it includes; an include in a circle is a fault."""
        found: list[BuildRequirement] = []
        entered: set[NormalizedName] = set()
        done: set[NormalizedName] = set()
        # Depth first without recursion: a path longer than Python's stack is no reason to fail.
        path: list[tuple[NormalizedName, Iterator[NormalizedName]]] = []

        def enter(group: NormalizedName) -> None:
            entered.add(group)
            key = self._group_keys[group]
            found.extend(_read_list(self._groups, key))
            path.append((group, iter(self._includes(key))))

        if name in self._group_keys:
            enter(name)
        while path:
            group, includes = path[-1]
            included = next(includes, None)
            if included is None:
                done.add(group)
                path.pop()
            elif included not in self._group_keys:
                self._groups.fault(self._group_keys[group], f"includes the group `{included}`, which is not declared")
            elif included in entered and included not in done:
                self._groups.fault(self._group_keys[group], f"includes `{included}`, which includes it in turn")
            elif included not in entered:
                enter(included)
        return tuple(found)

    def _includes(self, key: str) -> list[NormalizedName]:
        items = self._groups.get(key)
        includes = []
        for position, item in enumerate(items if isinstance(items, list) else ()):
            if not isinstance(item, dict):
                continue
            included = item.get("include-group")
            if item.keys() != {"include-group"} or not isinstance(included, str):
                self._groups.fault(f"{key}[{position}]", 'must be a requirement or `{ include-group = "…" }`')
            else:
                includes.append(canonicalize_name(included))
        return includes


def _read_list(table: Table, key: str) -> tuple[BuildRequirement, ...]:
    """The requirements of a list that may hold tables beside them."""
    items = table.get(key)
    if not isinstance(items, list):
        table.fault(key, f"must be a list of requirements, not {describe_type(items)}")
        return ()
    found = []
    for position, item in enumerate(items):
        if isinstance(item, str):
            line = table.document.find_line(table.name, key, item)
            found.append(parse_requirement(item, origin=table.place(key), line=line, faults=table.faults))
        elif not (isinstance(item, dict) and table.name == "dependency-groups"):
            table.fault(f"{key}[{position}]", f"must be a string, not {describe_type(item)}")
    return tuple(each for each in found if each is not None)


def _normalize_keys(table: Table, word: str) -> Mapping[NormalizedName, str]:
    """Normalised name to the key as written. PEP 685 and PEP 735: two spellings of one name are an error."""
    keys: dict[NormalizedName, str] = {}
    for key in table:
        try:
            name = canonicalize_name(key, validate=True)
        except InvalidName:
            table.fault(key, f"cannot name {'an' if word == 'extra' else 'a'} {word}")
            continue
        if name in keys:
            table.fault(key, f"is the {word} `{keys[name]}` again")
        keys[name] = key
    return keys
