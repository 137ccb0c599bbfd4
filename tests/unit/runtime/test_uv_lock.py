"""Which package a uv.lock installs, and every way in which it can be none."""

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.markers import Environment, Marker
from packaging.utils import NormalizedName

from buildlock.errors import BuildlockError, RuntimeLockError
from buildlock.runtime.marker_values import values_of
from buildlock.runtime.uv_lock import UvLock
from buildlock.variants import Variant
from unit.runtime.conftest import ReadUvLock, message_of

TORCH = NormalizedName("torch")
CU124 = Variant(name="cu124", extra="cu124")
SHA256 = "ab" * 32

CPU_AND_CU124 = f"""\
version = 1
revision = 5
requires-python = ">=3.11"

[[package]]
name = "demo"
version = "1.0"
source = {{ editable = "." }}

[[package.dependencies]]
name = "torch"
version = "2.4.0"
source = {{ registry = "https://a.example" }}
marker = "extra != 'extra-4-demo-cu124'"

[[package.optional-dependencies.cu124]]
name = "torch"
version = "2.4.0"
source = {{ registry = "https://b.example" }}
marker = "platform_machine == 'aarch64'"

[[package.optional-dependencies.cu124]]
name = "torch"
version = "2.4.0+cu124"
source = {{ registry = "https://b.example" }}
marker = "platform_machine != 'aarch64' and extra == 'extra-4-demo-cu124'"

[[package.optional-dependencies.all]]
name = "demo"
extra = ["cu124"]

[[package.dev-dependencies.bench]]
name = "runner"
extra = ["gpu"]

[[package]]
name = "runner"
version = "1.0"
source = {{ registry = "https://a.example" }}

[package.optional-dependencies]
gpu = [{{ name = "helper" }}]

[[package]]
name = "helper"
version = "3.0"
source = {{ registry = "https://a.example" }}

[[package]]
name = "torch"
version = "2.4.0"
source = {{ registry = "https://a.example" }}
wheels = [{{ path = "wheels/torch-2.4.0-py3-none-any.whl", hash = "md5:00" }}]

[[package]]
name = "torch"
version = "2.4.0"
source = {{ registry = "https://b.example" }}

[[package]]
name = "torch"
version = "2.4.0+cu124"
source = {{ registry = "https://b.example" }}
wheels = [{{ url = "https://b.example/torch-2.4.0%2Bcu124-py3-none-any.whl", hash = "sha256:{SHA256}" }}]
"""


def version_of(lock: UvLock, variant: Variant, environment: Environment, name: str = TORCH) -> str | None:
    found = lock.find(NormalizedName(name), variant, environment)
    return str(found.version) if found else None


class TestFind:
    def test_follows_the_extra(self, read: ReadUvLock, linux: Environment) -> None:
        found = read(CPU_AND_CU124).find(TORCH, CU124, linux)
        assert found is not None
        (file,) = found.files
        assert (str(found.version), file.filename, file.sha256) == (
            "2.4.0+cu124",
            "torch-2.4.0+cu124-py3-none-any.whl",
            SHA256,
        )

    def test_without_the_extra_its_conflict_does_not_hold(self, read: ReadUvLock, linux: Environment) -> None:
        found = read(CPU_AND_CU124).find(TORCH, Variant(name="default"), linux)
        assert found is not None
        (file,) = found.files
        # Only a sha256 is a hash to compare.
        assert (str(found.version), file.filename, file.url, file.sha256) == (
            "2.4.0",
            "torch-2.4.0-py3-none-any.whl",
            None,
            None,
        )

    def test_an_extra_that_names_an_extra_of_the_project_activates_it(
        self, read: ReadUvLock, linux: Environment
    ) -> None:
        assert version_of(read(CPU_AND_CU124), Variant(name="all", extra="all"), linux) == "2.4.0+cu124"

    def test_follows_a_group_and_the_extras_of_a_dependency(self, read: ReadUvLock, linux: Environment) -> None:
        lock = read(CPU_AND_CU124)
        assert version_of(lock, Variant(name="bench", group="bench"), linux, "helper") == "3.0"
        assert version_of(lock, CU124, linux, "helper") is None

    def test_markers_are_those_of_the_target(self, read: ReadUvLock) -> None:
        arm = values_of(
            Marker("python_version == '3.11' and sys_platform == 'linux' and platform_machine == 'aarch64'")
        )
        found = read(CPU_AND_CU124).find(TORCH, CU124, arm)
        assert found is not None
        assert (str(found.version), found.files) == ("2.4.0", ())

    def test_two_versions_at_once(self, read: ReadUvLock, linux: Environment) -> None:
        lock = read(CPU_AND_CU124.replace("platform_machine == 'aarch64'", "sys_platform == 'linux'"))
        with pytest.raises(RuntimeLockError) as caught:
            lock.find(TORCH, CU124, linux)
        assert caught.value.message == "`uv.lock` installs 2 versions of `torch` for extra cu124: 2.4.0, 2.4.0+cu124"

    @pytest.mark.parametrize("source", ['{ git = "https://git.example/torch#0123" }', '{ path = "torch.whl" }'])
    def test_what_comes_from_no_index(self, read: ReadUvLock, linux: Environment, source: str) -> None:
        text = (
            'version = 1\n[[package]]\nname = "demo"\nsource = { virtual = "." }\ndependencies = [{ name = "torch" }]\n'
            f'[[package]]\nname = "torch"\nversion = "1"\nsource = {source}\n'
        )
        assert "only what comes from an index can be matched" in message_of(
            lambda: read(text).find(TORCH, CU124, linux)
        )

    def test_another_project(self, read: ReadUvLock, linux: Environment) -> None:
        lock = read(CPU_AND_CU124.replace('editable = "."', 'editable = "member"'))
        assert "does not hold the project in this folder" in message_of(lambda: lock.find(TORCH, CU124, linux))


class TestInvalid:
    @pytest.mark.parametrize(
        ("text", "said"),
        {
            "not-toml": ("version = ", "is not valid TOML"),
            "conflict": ("<<<<<<< HEAD\nversion = 1\n", "is not valid TOML"),
            "deep": ("version = 1\na = " + "[" * 100_000, "is nested too deeply"),
            "endless-key": ("a." * 20_000 + "b = 1", "has too many dots in its lines"),
            "endless-number": ("version = " + "1" * 5000, "is not valid TOML"),
            "huge": ("version = 1\n#" + " " * (17 << 20), "is larger than"),
            "empty": ("", "does not say `version = 1`"),
            "newer": ("version = 2", "does not say `version = 1`"),
            "package-no-array": ("version = 1\npackage = 'torch'", "`uv.lock: package` must be an array of tables"),
            "package-no-table": ("version = 1\npackage = ['torch']", "`uv.lock: package[0]` must be a table"),
            "name-no-string": (
                "version = 1\npackage = [{ name = 1 }]",
                "`uv.lock: [package][0].name` must be a string",
            ),
            "endless-forks": (
                "version = 1\n" + "[[package]]\nname = 'torch'\n" * 200,
                "has the package `torch` 200 times",
            ),
        }.values(),
    )
    def test_is_refused_when_it_is_read(self, read: ReadUvLock, text: str, said: str) -> None:
        assert said in message_of(lambda: read(text))

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        {
            "marker": ("platform_machine == 'aarch64'", "platform_machine", "which is not a marker"),
            "marker-unknown": ("platform_machine == 'aarch64'", "extra == 'a b'", "which is not a marker"),
            "marker-type": ("\"platform_machine == 'aarch64'\"", "1", "`.marker` must be a string"),
            "marker-deep": ("platform_machine == 'aarch64'", "(" * 5000, "which is not a marker"),
            "marker-long": ("platform_machine == 'aarch64'", " " * 100_001, "has 100001 characters"),
            "dangling": ('name = "demo"\nextra', 'name = "nobody"\nextra', "names no package of the lock"),
            "ambiguous": ('name = "demo"\nextra', 'name = "torch"\nextra', "names several packages"),
            "source": ('source = { editable = "." }', "source = 1", "must be a table"),
            "version": ('version = "2.4.0+cu124"\n', 'version = "new"\n', "names no package of the lock"),
            "url": ("https://b.example/torch", "http://[/torch", "is not a URL"),
            "no-place": ("url = ", "link = ", "has neither a `url` nor a `path`"),
            "hash": (SHA256, "ab", "which is not a sha256"),
            "hash-type": (f'"sha256:{SHA256}"', "[]", "must be a string, not an array"),
        }.values(),
    )
    def test_is_refused_when_it_is_asked(
        self, read: ReadUvLock, linux: Environment, old: str, new: str, said: str
    ) -> None:
        text = CPU_AND_CU124.replace(old, new, 1)
        assert text != CPU_AND_CU124
        message = message_of(lambda: read(text).find(TORCH, Variant(name="all", extra="all"), linux))
        assert said.replace("`.marker`", ".marker`") in message
        assert len(message) < 1000

    def test_extras_without_an_end(self, read: ReadUvLock, linux: Environment) -> None:
        steps = [f"{{ name = 'a', extra = ['x{i}'], marker = \"extra == 'extra-1-a-x{i + 1}'\" }}" for i in range(300)]
        text = (
            "version = 1\n[[package]]\nname = 'demo'\nsource = { virtual = '.' }\n"
            f"dependencies = [{', '.join(steps)}, {{ name = 'a', extra = ['x300'] }}]\n[[package]]\nname = 'a'\n"
        )
        assert "bring in each other without an end" in message_of(lambda: read(text).find(TORCH, CU124, linux))


words = st.sampled_from(
    [
        "demo",
        "torch",
        ".",
        "1.0",
        "2.4.0+cu124",
        "cu124",
        "extra == 'extra-4-demo-cu124'",
        "os_name != ''",
        "sha256:",
        "",
    ]
)
scalars = words | st.integers(-1, 2) | st.booleans() | st.floats(allow_nan=False)
keys = st.sampled_from(
    [
        *("version", "package", "name", "source", "dependencies", "optional-dependencies", "dev-dependencies"),
        *("marker", "extra", "cu124", "wheels", "url", "path", "hash", "registry", "editable", "virtual"),
    ]
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=10
)
packages = st.lists(st.dictionaries(keys, values, max_size=5) | values, max_size=3)
root = st.fixed_dictionaries(
    {"name": st.just("demo"), "source": st.just({"editable": "."})}, optional={"dependencies": values, "wheels": values}
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(root=root, packages=packages)
def test_whatever_it_holds_it_is_an_answer_or_an_error_of_ours(
    read: ReadUvLock, linux: Environment, root: dict[str, object], packages: list[object]
) -> None:
    text = tomli_w.dumps({"version": 1, "package": [root, *packages]})
    try:
        read(text).find(TORCH, CU124, linux)
        read(text).find(NormalizedName("demo"), CU124, linux)
    except BuildlockError as error:
        assert error.message  # noqa: PT017 - both ends are right


def test_lists_all_that_is_installed(read: ReadUvLock, linux: Environment) -> None:
    lock = read(f"""\
version = 1

[[package]]
name = "demo"
version = "1.0"
source = {{ editable = "." }}
dependencies = [{{ name = "kernels" }}, {{ name = "own" }}, {{ name = "grouped" }}, {{ name = "elsewhere" }}]

[[package]]
name = "kernels"
version = "0.3"
source = {{ registry = "https://a.example" }}
sdist = {{ url = "https://a.example/kernels-0.3.tar.gz", hash = "sha256:{SHA256}", size = 9 }}
wheels = [{{ url = "https://a.example/kernels-0.3-py3-none-any.whl" }}]

[[package]]
name = "own"
source = {{ git = "https://git.example/own?rev=main#0123" }}

[[package]]
name = "grouped"
version = "1.0"
source = {{ virtual = "grouped" }}

[[package]]
name = "elsewhere"
version = "1.0"
source = {{ directory = "elsewhere" }}

[[package]]
name = "not-installed"
version = "1.0"
source = {{ url = "https://a.example/not-installed.zip" }}
""")
    installed = lock.list_installed(CU124, linux)
    (kernels,) = installed.packages
    assert (kernels.name, str(kernels.version), len(kernels.files)) == ("kernels", "0.3", 1)
    assert kernels.sdist is not None
    assert (kernels.sdist.filename, kernels.sdist.sha256) == ("kernels-0.3.tar.gz", SHA256)
    assert installed.elsewhere == {"own": "git", "elsewhere": "directory"}
