"""What the benchmark found, a file for each day and kind of machine: `2026-11-22-linux-x86_64-2-cores-ext4.json`.

A file holds what was run, not what follows from it; the page is made from that. Rows that are measured again on the
same day, with the same versions, replace those of before; other versions have a file of their own.
"""

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ratios import Spread, pair, spread

FOLDER = Path(__file__).with_name("results")
FORMAT = 1
_RUN = re.compile(r"\{\n {5}[^{}]*\}")
"""By its depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    name: str
    content: Mapping[str, Any]

    @property
    def machine(self) -> Mapping[str, Any]:
        machine: Mapping[str, Any] = self.content["machine"]
        return machine

    @property
    def versions(self) -> Mapping[str, str]:
        versions: Mapping[str, str] = self.content["versions"]
        return versions

    @property
    def date(self) -> str:
        return str(self.content["date"])

    def loads(self, rows: Iterable[str]) -> list[float]:
        """How many processes wanted to run on the machine when each row began, where that was kept."""
        found = (self.content["rows"].get(row, {}) for row in rows)
        return [row["load"] for row in found if "load" in row]

    def failure(self, row: str) -> str | None:
        found = self.content["rows"].get(row)
        return found.get("failed") if found else None

    def commands(self, row: str) -> Mapping[str, str]:
        """What was run, by tool."""
        commands: Mapping[str, str] = self.content["rows"].get(row, {}).get("commands", {})
        return commands

    def tools(self, row: str) -> list[str]:
        """Who took part, in the order of the first round."""
        return list(dict.fromkeys(run["tool"] for run in self._runs(row)))

    def spread(self, row: str, tool: str, what: str) -> Spread | None:
        values = self._by_round(row, tool, what)
        return spread(list(values.values())) if values else None

    def ratio(self, row: str, tool: str, peer: str = "uv", what: str = "seconds") -> Spread | None:
        return pair(self._by_round(row, tool, what), self._by_round(row, peer, what))

    def _by_round(self, row: str, tool: str, what: str) -> dict[int, float]:
        return {run["round"]: run[what] for run in self._runs(row) if run["tool"] == tool}

    def _runs(self, row: str) -> Sequence[Mapping[str, Any]]:
        runs: Sequence[Mapping[str, Any]] = self.content["rows"].get(row, {}).get("runs", ())
        return runs


def read_results(folder: Path = FOLDER) -> list[Results]:
    """All of them, the newest first."""
    paths = sorted(folder.glob("*.json"), key=_order, reverse=True)
    return [Results(name=path.stem, content=json.loads(path.read_text(encoding="utf-8"))) for path in paths]


def _order(path: Path) -> list[str]:
    """By day, kind and number: the tenth file of a day after its ninth."""
    return [part.zfill(4) for part in path.stem.split("-")]


def write_results(content: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Write what was found, and keep what else was found on that day by the same versions."""
    folder.mkdir(exist_ok=True)
    whole: dict[str, Any] = dict(content)
    for path in _name_files(folder, f"{content['date']}-{content['machine']['kind']}"):
        if not path.exists():
            break
        before = json.loads(path.read_text(encoding="utf-8"))
        if before["versions"] == content["versions"]:
            whole["rows"] = {**before["rows"], **content["rows"]}
            break
    path.write_text(_dump(whole), encoding="utf-8", newline="\n")
    return path


def _name_files(folder: Path, name: str) -> Iterator[Path]:
    """The file of a day, and those of other versions on it."""
    yield folder / f"{name}.json"
    yield from (folder / f"{name}-{number}.json" for number in itertools.count(2))


def _dump(content: Mapping[str, Any]) -> str:
    """JSON with a run a line."""
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
    return _RUN.sub(lambda run: " ".join(run[0].split()), text) + "\n"
