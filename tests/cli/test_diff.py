"""`buildlock diff`: two locks in files or at revisions, and the policy on them."""

import json
import os
from pathlib import Path

import pytest

from render_diffs import RENDERED, STORIES
from support.command import Checkout, Result, hermetic
from support.git import GitRepository

OLD = (STORIES / "tampered-hash" / "old.toml").read_text(encoding="utf-8")
NEW = (STORIES / "tampered-hash" / "new.toml").read_text(encoding="utf-8")
LOWERED = (STORIES / "pin-lowered" / "new.toml").read_text(encoding="utf-8")
MERGED = (STORIES / "merge-of-two-branches" / "merged.toml").read_text(encoding="utf-8")


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    repository = GitRepository(tmp_path / "project")
    repository.commit({"build-lock.toml": OLD, "pyproject.toml": ""})
    return repository


def run(folder: Path, *arguments: str | Path) -> Result:
    environment = hermetic(folder, {"GIT_CONFIG_GLOBAL": os.devnull})
    return Checkout(root=folder, environment=environment).run("diff", *arguments)


def codes(result: Result) -> list[str]:
    assert result.code == 0, result.stderr
    return [finding["code"] for finding in json.loads(result.stdout)["findings"]]


class TestWhatIsCompared:
    def test_the_last_commit_with_the_working_tree(self, repository: GitRepository) -> None:
        result = run(repository.folder)
        assert (result.code, result.stdout, result.stderr) == (0, "HEAD → working tree: nothing changed\n", "")
        (repository.folder / "build-lock.toml").write_text(NEW, encoding="utf-8")
        assert run(repository.folder).stdout.startswith("HEAD → working tree: 1 high risk; the policy denies 1\n")

    def test_revisions(self, repository: GitRepository) -> None:
        repository.commit({"build-lock.toml": NEW})
        repository.run("tag", "v1")
        for arguments in (("HEAD~1",), ("HEAD~1", "HEAD"), ("main~1", "v1"), ("HEAD^", "refs/heads/main")):
            assert codes(run(repository.folder, *arguments, "--format", "json")) == ["hash-changed"]

    def test_files(self, tmp_path: Path) -> None:
        (tmp_path / "a.toml").write_text(OLD, encoding="utf-8")
        (tmp_path / "b.toml").write_text(NEW, encoding="utf-8")
        assert codes(run(tmp_path, "a.toml", "b.toml", "--format", "json")) == ["hash-changed"]
        assert codes(run(tmp_path, os.devnull, "b.toml", "--format", "json")) == ["variant-added", "variant-added"]

    def test_a_project_below_the_top_of_its_repository(self, repository: GitRepository) -> None:
        repository.commit({"sub folder/build-lock.toml": OLD})
        folder = repository.folder / "sub folder"
        assert run(folder).stdout == "HEAD → working tree: nothing changed\n"
        assert run(repository.folder, "--project", "sub folder", "HEAD", "HEAD~1").stdout.count("dropped") == 1

    def test_a_linked_work_tree_and_a_bare_repository(self, repository: GitRepository, tmp_path: Path) -> None:
        repository.commit({"build-lock.toml": NEW})
        repository.run("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"), "HEAD~1")
        assert run(tmp_path / "linked").stdout == "HEAD → working tree: nothing changed\n"
        assert codes(run(tmp_path / "linked", "main", "HEAD", "--format", "json")) == ["hash-changed"]
        repository.run("clone", "--quiet", "--bare", ".", str(tmp_path / "bare"))
        assert codes(run(tmp_path / "bare", "main~1", "main", "--format", "json")) == ["hash-changed"]

    def test_a_lock_that_was_not_there_before(self, repository: GitRepository) -> None:
        repository.run("rm", "--quiet", "build-lock.toml")
        repository.commit()
        assert codes(run(repository.folder, "HEAD", "HEAD~1", "--format", "json")) == ["variant-added"] * 2
        assert codes(run(repository.folder, "HEAD~1", "--format", "json")) == ["variant-dropped"] * 2
        result = run(repository.folder)
        assert (result.code, result.stdout) == (1, "")
        assert "there is no `build-lock.toml`: neither in HEAD nor in working tree" in result.stderr

    def test_nothing_that_the_repository_configures_is_run(self, repository: GitRepository, tmp_path: Path) -> None:
        witness = tmp_path / "witness"
        script = f"touch '{witness}'; cat"
        repository.commit({".gitattributes": "build-lock.toml diff=lock filter=lock\n"})
        for key in ("diff.lock.textconv", "diff.lock.command", "filter.lock.smudge", "core.fsmonitor", "core.pager"):
            repository.run("config", key, script)
        (repository.folder / "build-lock.toml").write_text(NEW, encoding="utf-8")
        assert codes(run(repository.folder, "--format", "json")) == ["hash-changed"]
        assert not witness.exists()


class TestConflicts:
    def test_the_lock_of_the_project(self, repository: GitRepository) -> None:
        (repository.folder / "build-lock.toml").write_text(MERGED, encoding="utf-8")
        result = run(repository.folder)
        assert result.stdout.startswith("ours (HEAD) → theirs (update-tools): 1 low risk")

    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "merged.toml").write_text(MERGED, encoding="utf-8")
        assert codes(run(tmp_path, "merged.toml", "--format", "json")) == ["version-raised"]

    def test_it_is_not_one_of_two(self, tmp_path: Path) -> None:
        (tmp_path / "merged.toml").write_text(MERGED, encoding="utf-8")
        result = run(tmp_path, "merged.toml", "merged.toml")
        assert (result.code, result.stdout) == (1, "")
        assert "hint: `buildlock diff merged.toml` compares these two" in result.stderr


class TestPolicyOfARevision:
    LAX = "[tool.buildlock.policy]\ndeny = []\n"

    def test_a_change_is_judged_by_the_policy_that_it_does_not_make(self, repository: GitRepository) -> None:
        repository.commit({"build-lock.toml": NEW, "pyproject.toml": self.LAX})
        assert run(repository.folder, "HEAD~1", "HEAD", "--exit-code").code == 0
        judged = run(repository.folder, "HEAD~1", "HEAD", "--exit-code", "--policy-from", "HEAD~1")
        assert judged.code == 3
        assert "DENIED by the policy" in judged.stdout

    def test_it_needs_no_working_tree(self, repository: GitRepository, tmp_path: Path) -> None:
        repository.commit({"build-lock.toml": NEW, "pyproject.toml": self.LAX})
        repository.run("clone", "--quiet", "--bare", ".", str(tmp_path / "bare"))
        for revision, code in (("main~1", 3), ("main", 0)):
            assert run(tmp_path / "bare", "main~1", "main", "--exit-code", "--policy-from", revision).code == code

    def test_it_may_be_a_file(self, repository: GitRepository) -> None:
        (repository.folder / "build-lock.toml").write_text(NEW, encoding="utf-8")
        (repository.folder / "lax.toml").write_text(self.LAX, encoding="utf-8")
        assert run(repository.folder, "--exit-code").code == 3
        assert run(repository.folder, "--exit-code", "--policy-from", "lax.toml").code == 0
        (repository.folder / "lax.toml").write_text("[tool.buildlock.policy]\ndeny = 1", encoding="utf-8")
        result = run(repository.folder, "--policy-from", "lax.toml")
        assert (result.code, result.stdout) == (1, "")
        assert "`lax.toml" in result.stderr

    def test_its_own_change_is_told(self, repository: GitRepository) -> None:
        repository.commit({"pyproject.toml": self.LAX})
        assert codes(run(repository.folder, "HEAD~1", "--format", "json")) == ["policy-loosened"]
        assert codes(run(repository.folder, "HEAD", "HEAD~1", "--variant", "cpu", "--format", "json")) == [
            "policy-tightened"
        ]
        lines = run(repository.folder, "HEAD~1").stdout.splitlines()
        assert lines[2:4] == ["HIGH RISK", "  policy-loosened: the project's policy lets through what it did not"]
        assert lines[4].startswith("    no longer denied: file-removed, hash-changed, ")

    def test_history_need_not_be_valid(self, repository: GitRepository) -> None:
        repository.commit({"pyproject.toml": "[tool.buildlock.policy]\nold-key = 1"})
        repository.commit({"pyproject.toml": ""})
        assert codes(run(repository.folder, "HEAD~1", "--format", "json")) == ["policy-tightened"]
        result = run(repository.folder, "--policy-from", "HEAD~1")
        assert (result.code, result.stdout) == (1, "")
        assert "`pyproject.toml of HEAD~1" in result.stderr

    @pytest.mark.parametrize("name", ["nowhere", "--", "-x", "", "a" * 5000])
    def test_there_is_none(self, repository: GitRepository, name: str) -> None:
        result = run(repository.folder, f"--policy-from={name}")
        assert (result.code, result.stdout) == (2, "")
        assert "is neither a file nor a revision" in result.stderr


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (["nowhere"], 2, "`nowhere` is neither a file nor a revision of this repository"),
            (["--", "--output=x"], 2, "`--output=x` is neither a file nor a revision"),
            (["--", "-x"], 2, "`-x` is neither a file nor a revision"),
            ([""], 2, "`` is neither a file nor a revision"),
            (["main..topic"], 2, "hint: give the two revisions by themselves: `buildlock diff main topic`"),
            (["HEAD:build-lock.toml"], 2, "neither a file nor a revision"),
            (["HEAD", "--variant", "rocm"], 2, "neither lock has the variant `rocm`: they have `cpu`, `cu124`"),
            (["--format", "yaml"], 2, "yaml"),
            (["--only", "huge"], 2, "huge"),
            (["bad.toml"], 1, "`build-lock.toml of bad.toml` is invalid: it is not TOML"),
        ],
    )
    def test_what_cannot_be_compared(
        self, repository: GitRepository, arguments: list[str], code: int, message: str
    ) -> None:
        (repository.folder / "bad.toml").write_text("[", encoding="utf-8")
        result = run(repository.folder, *arguments)
        assert (result.code, result.stdout) == (code, "")
        assert message in result.stderr
        assert not (repository.folder / "x").exists()

    def test_no_repository(self, tmp_path: Path) -> None:
        (tmp_path / "build-lock.toml").write_text(OLD, encoding="utf-8")
        result = run(tmp_path)
        assert result.code == 2
        assert "is in no git repository" in result.stderr

    def test_an_invalid_policy(self, repository: GitRepository) -> None:
        (repository.folder / "pyproject.toml").write_text('[tool.buildlock.policy]\ndeny = ["x"]', encoding="utf-8")
        result = run(repository.folder)
        assert (result.code, result.stdout) == (1, "")
        assert "`x`, which is not a code" in result.stderr


class TestShown:
    def test_formats_are_those_that_were_looked_at(self, tmp_path: Path) -> None:
        folder = STORIES / "pin-lowered"
        for name in ("old.toml", "new.toml"):
            (tmp_path / name).write_bytes((folder / name).read_bytes())
        for to, suffix in (("text", "txt"), ("markdown", "md"), ("json", "json"), ("html", "html")):
            result = run(tmp_path, "old.toml", "new.toml", "--format", to)
            assert result.stdout == (RENDERED / f"pin-lowered.{suffix}").read_text(encoding="utf-8")

    def test_one_variant(self, repository: GitRepository) -> None:
        (repository.folder / "build-lock.toml").write_text(NEW, encoding="utf-8")
        found = json.loads(run(repository.folder, "--variant", "CPU", "--format", "json").stdout)
        assert {place["variant"] for finding in found["findings"] for place in finding["places"]} == {"cpu"}

    def test_only_one_risk_and_the_exit_code_of_all(self, repository: GitRepository) -> None:
        (repository.folder / "build-lock.toml").write_text(NEW, encoding="utf-8")
        result = run(repository.folder, "--only", "low", "--exit-code")
        assert result.code == 3
        assert "hash-changed" not in result.stdout
        assert "not shown, of which the policy denies" in " ".join(result.stdout.split())

    def test_an_exit_code_is_for_what_is_denied(self, repository: GitRepository) -> None:
        (repository.folder / "build-lock.toml").write_text(LOWERED, encoding="utf-8")
        assert run(repository.folder, "--exit-code").code == 0
        policy = '[tool.buildlock.policy]\ndeny = ["pin-lowered"]\n'
        (repository.folder / "pyproject.toml").write_text(policy, encoding="utf-8")
        assert run(repository.folder).code == 0
        result = run(repository.folder, "--exit-code")
        assert (result.code, result.stderr) == (3, "")
        assert "DENIED by the policy" in result.stdout
