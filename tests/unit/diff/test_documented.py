"""What the documents say of codes is what the codes are."""

import re
from pathlib import Path

from buildlock.risks import KINDS

DOCUMENTS = Path(__file__).parents[3] / "docs"
_ROW = re.compile(r"^\| `([\w-]+)` \| (high|medium|low) \| (.*) \|$", re.MULTILINE)


def test_every_code_is_explained_as_it_is() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(DOCUMENTS.glob("*.md")))
    rows = {code: (risk, meaning) for code, risk, meaning in _ROW.findall(text)}
    assert rows.keys() == KINDS.keys()
    for code, (risk, meaning) in rows.items():
        assert risk == KINDS[code].risk
        # What a document says in addition comes after it.
        assert meaning.startswith(KINDS[code].meaning)
