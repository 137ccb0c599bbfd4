"""A target that a lock serves, from its marker alone: the values that markers are evaluated with.

The interpreter need not be there, and a check must say the same on every machine.
"""

from typing import cast

from packaging.markers import Environment, Marker, default_environment

from buildlock.patterns import compile_pattern

# `os.name` and `platform.system()` by `sys.platform`.
_SYSTEMS = {"linux": ("posix", "Linux"), "darwin": ("posix", "Darwin"), "win32": ("nt", "Windows")}
_IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalVM"}
_CLAUSE = compile_pattern(r"""(\w+) == (['"])([^'"]*)\2""")


def values_of(marker: Marker) -> Environment:
    """The values of a marker that is made of `==` clauses, as `Target.marker` is, and all that follows from them.

    >>> values_of(Marker("python_version == '3.11' and sys_platform == 'win32'"))["os_name"]
    'nt'
    """
    said = {key: value for key, _, value in _CLAUSE.findall(str(marker))}
    values = {**cast("dict[str, str]", default_environment()), "implementation_name": "cpython", **said}
    # A lock serves every patch release alike.
    full = said.get("python_full_version") or (f"{said['python_version']}.0" if "python_version" in said else None)
    if full is not None:
        values |= {"python_full_version": full, "python_version": ".".join(full.split(".")[:2])}
        values["implementation_version"] = full
    if values["sys_platform"] in _SYSTEMS:
        values["os_name"], values["platform_system"] = _SYSTEMS[values["sys_platform"]]
    implementation = values["implementation_name"]
    values["platform_python_implementation"] = _IMPLEMENTATIONS.get(implementation, implementation)
    return cast("Environment", {**values, **said})
