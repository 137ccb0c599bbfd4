"""`dataclass` for what has to start fast: as that of `dataclasses`, but nothing is compiled before it is used.

Of most classes that a command imports it makes no instance, and to make a class a dataclass takes half a millisecond,
most of it to compile functions. Here `__init__` is compiled when many instances are made, and the other methods are
not compiled at all. Type checkers see the original, and its functions, such as `asdict`, take what is made here.
Of its options there are `frozen`, `kw_only` and `slots`, and each annotation is one of a field.
"""

from __future__ import annotations

import sys
from functools import partial
from operator import attrgetter

TYPE_CHECKING = False  # typing takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from dataclasses import dataclass, field, replace
    from typing import Any, NoReturn

__all__ = ["dataclass", "field", "identity", "replace"]

identity: Callable[[object], int] = object.__hash__ if sys.implementation.name == "cpython" else id
"""A number that no other object has as long as this one is there.

Of each call of `id` Python tells every audit hook, such as that of `answers.recorder`, which takes five times as long.
CPython makes the number that is asked for here of the same address, and of nothing else.
"""

_MISSING = object()
_FEW = 16
"""Instances of a class that are made for less than compiling its `__init__` takes."""
_FIELDS, _STANDARD_FIELDS = "__value_fields__", "__dataclass_fields__"


class _Field:
    """What there is to know of a field."""

    __slots__ = ("annotation", "compare", "default", "factory", "hashed", "init", "kw_only", "name", "shown")

    def __init__(
        self, *, default: Any, factory: Any, init: bool = True, shown: bool = True, hashed: bool = True, compare: bool
    ) -> None:
        self.name = ""
        self.annotation: object = None
        self.kw_only = False
        self.default = default
        self.factory = factory
        self.init = init
        self.shown = shown
        self.hashed = hashed
        self.compare = compare


def _field(
    *,
    default: Any = _MISSING,
    default_factory: Any = _MISSING,
    init: bool = True,
    repr: bool = True,  # noqa: A002 - as in `dataclasses`
    hash: bool | None = None,  # noqa: A002
    compare: bool = True,
) -> Any:
    hashed = compare if hash is None else hash
    return _Field(default=default, factory=default_factory, init=init, shown=repr, hashed=hashed, compare=compare)


def _dataclass(*, frozen: bool = False, kw_only: bool = False, slots: bool = False) -> Callable[[type], type]:
    def decorate(cls: type) -> type:
        bases = reversed(cls.__mro__[1:])
        inherited = {name: each for base in bases for name, each in getattr(base, _FIELDS, {}).items()}
        own = {name: _read(cls, name, annotation, kw_only=kw_only) for name, annotation in cls.__annotations__.items()}
        for name, each in own.items():
            if each.default is not _MISSING:
                setattr(cls, name, each.default)
            elif name in cls.__dict__:
                delattr(cls, name)
        if slots:
            cls = _add_slots(cls, [name for name in own if name not in inherited])
        fields = inherited | own
        setattr(cls, _FIELDS, fields)
        for name, method in _make_methods(cls, fields.values(), frozen=frozen).items():
            # What a class defines itself stays; where it defines `__eq__`, Python has set `__hash__` to `None`.
            if cls.__dict__.get(name) is None:
                setattr(cls, name, method)
        return cls

    return decorate


def _replace(value: Any, /, **changes: Any) -> Any:
    fields = getattr(value, _FIELDS, None)
    if fields is None:
        from dataclasses import replace  # noqa: PLC0415 - some are of other libraries

        return replace(value, **changes)
    for name, each in fields.items():
        if each.init and name not in changes:
            changes[name] = getattr(value, name)
    return value.__class__(**changes)


if not TYPE_CHECKING:
    dataclass, field, replace = _dataclass, _field, _replace


def _read(cls: type, name: str, annotation: object, *, kw_only: bool) -> _Field:
    default = cls.__dict__.get(name, _MISSING)
    found: _Field = default if isinstance(default, _Field) else _field(default=default)
    found.name, found.annotation, found.kw_only = name, annotation, kw_only
    return found


def _add_slots(cls: type, names: Sequence[str]) -> type:
    """A class as it is, with slots: it is made anew, since it cannot get them later."""
    without = {*names, "__dict__", "__weakref__"}
    content = {name: value for name, value in cls.__dict__.items() if name not in without}
    made: type = type(cls)(cls.__name__, cls.__bases__, {**content, "__slots__": tuple(names)})
    made.__qualname__ = cls.__qualname__
    return made


def _make_methods(cls: type, fields: Collection[_Field], *, frozen: bool) -> Mapping[str, object]:
    shown = [each.name for each in fields if each.shown]
    compared = _getter([each.name for each in fields if each.compare])
    hashed = _getter([each.name for each in fields if each.hashed])

    def show(self: object) -> str:
        return f"{type(self).__qualname__}({', '.join([f'{name}={getattr(self, name)!r}' for name in shown])})"

    def equals(self: object, other: object) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    return {
        "__init__": _Init(cls, fields, frozen=frozen),
        "__repr__": show,
        "__eq__": equals,
        "__hash__": (lambda self: hash(hashed(self))) if frozen else None,
        "__match_args__": tuple(each.name for each in fields if each.init and not each.kw_only),
        _STANDARD_FIELDS: _StandardFields(),
        **({"__setattr__": _refuse, "__delattr__": _refuse} if frozen else {}),
    }


def _getter(names: Sequence[str]) -> Callable[[object], object]:
    return attrgetter(*names) if names else lambda _: ()


def _refuse(_self: object, name: str, *_: object) -> NoReturn:
    from dataclasses import FrozenInstanceError  # noqa: PLC0415 - nobody tries

    raise FrozenInstanceError(f"cannot change field {name!r}")


class _Init:
    """Stands for `__init__`, until many instances are made: then that is compiled, and takes the place of this."""

    __slots__ = ("_cls", "_fields", "_frozen", "_uses")

    def __init__(self, cls: type, fields: Collection[_Field], *, frozen: bool) -> None:
        self._cls = cls
        self._fields = fields
        self._frozen = frozen
        self._uses = 0

    def __get__(self, instance: object, owner: type) -> Any:
        self._uses += 1
        # Python 3.13 asks for a signature with the class in place of an instance.
        if self._uses <= _FEW and isinstance(instance, self._cls):
            return partial(self._fill, instance)
        return self._compile().__get__(instance, owner)

    def _fill(self, instance: object, /, *unnamed: object, **values: Any) -> None:
        """Do what the compiled one would."""
        if unnamed or not self._accepts(values):
            self._compile()(instance, *unnamed, **values)
            return
        assign = object.__setattr__ if self._frozen else setattr
        for each in self._fields:
            if each.name in values:
                assign(instance, each.name, values[each.name])
            elif each.factory is not _MISSING:
                assign(instance, each.name, each.factory())
            elif each.init:
                assign(instance, each.name, each.default)
        if hasattr(self._cls, "__post_init__"):
            instance.__post_init__()  # type: ignore[attr-defined]  # it was just looked at

    def _accepts(self, values: Collection[str]) -> bool:
        """Whether these are names of fields, and all that have to be given."""
        given = 0
        for each in self._fields:
            if each.init and each.name in values:
                given += 1
            elif each.init and each.default is _MISSING and each.factory is _MISSING:
                return False
        return given == len(values)

    def _compile(self) -> Any:
        init = self._make()
        self._cls.__init__ = init  # type: ignore[misc]  # that is what it is for
        return init

    def _make(self) -> Any:
        names: dict[str, Any] = {"missing": _MISSING, "set_attribute": object.__setattr__}
        parameters, lines = list[str](), list[str]()
        for each in self._fields:
            name, value = each.name, each.name
            names |= {f"default_{name}": each.default, f"make_{name}": each.factory}
            if each.factory is not _MISSING:
                value = f"make_{name}() if {name} is missing else {name}" if each.init else f"make_{name}()"
            if each.init:
                if each.kw_only and "*" not in parameters:
                    parameters.append("*")
                default = "missing" if each.factory is not _MISSING else f"default_{name}"
                required = each.factory is _MISSING and each.default is _MISSING
                parameters.append(name if required else f"{name}={default}")
            if each.init or each.factory is not _MISSING:
                lines.append(self._assign(name, value, names))
        if hasattr(self._cls, "__post_init__"):
            lines.append("self.__post_init__()")
        body = "\n ".join(lines or ["pass"])
        exec(f"def __init__({', '.join(['self', *parameters])}):\n {body}", names)  # noqa: S102 - as in `dataclasses`
        init = names["__init__"]
        init.__qualname__ = f"{self._cls.__qualname__}.__init__"
        init.__module__ = self._cls.__module__
        init.__annotations__ = {each.name: each.annotation for each in self._fields if each.init} | {"return": None}
        return init

    def _assign(self, name: str, value: str, names: dict[str, Any]) -> str:
        if not self._frozen:
            return f"self.{name} = {value}"
        # Of a slot: that is twice as fast.
        if set_slot := getattr(getattr(self._cls, name, None), "__set__", None):
            names[f"set_{name}"] = set_slot
            return f"set_{name}(self, {value})"
        return f"set_attribute(self, {name!r}, {value})"


class _StandardFields:
    """What `dataclasses` knows its own by, made when it looks."""

    def __get__(self, instance: object, owner: type) -> object:
        import dataclasses  # noqa: PLC0415 - few are taken apart

        fields = getattr(owner, _FIELDS).values()
        made = dataclasses.make_dataclass(
            owner.__name__,
            [(each.name, each.annotation, dataclasses.field(init=each.init, repr=each.shown)) for each in fields],
            kw_only=True,
        )
        setattr(owner, _STANDARD_FIELDS, getattr(made, _STANDARD_FIELDS))
        return getattr(owner, _STANDARD_FIELDS)
