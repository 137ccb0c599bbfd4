"""What the documents say of codes is what the codes are."""

import re
from pathlib import Path

from buildlock.risks import KINDS

DOCUMENTS = Path(__file__).parents[3] / "docs"
_ROW = re.compile(r"^\| `([\w-]+)` \| (high|medium|low) \| (.*) \|$", re.MULTILINE)


def test_every_code_is_explained_as_it_is() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(DOCUMENTS.glob("*.md")))
    assert {(kind.code, kind.risk, kind.meaning) for kind in KINDS.values()} == set(_ROW.findall(text))
