"""An audit for a comment, in GitHub's Markdown: its limit kept, and nothing that is quoted is markup."""

from buildlock.audit.model import Audit
from buildlock.audit.wording import describe_scope, summarize
from buildlock.diff.render_markdown import fit_findings, format_sentence

MARKER = "<!-- buildlock-audit -->"
"""By which whoever posts the comment finds it again."""
_LONGEST_BLOCK = 5_000


def render_markdown(audit: Audit) -> str:
    head = (
        f"{MARKER}\n### Build lock audit: {format_sentence(summarize(audit))}\n\n"
        f"{format_sentence(describe_scope(audit))}\n"
    )
    return fit_findings(audit, head=head, tail=_format_updates(audit), command="buildlock audit")


def _format_updates(audit: Audit) -> str:
    """The commands as a block: names of packages and variants have nothing in them that would end it."""
    commands = "\n".join(audit.list_updates())
    if len(commands) > _LONGEST_BLOCK:
        return "\n#### Update\n\n`buildlock audit` shows the commands.\n"
    return f"\n#### Update\n\n```console\n{commands}\n```\n" if commands else ""
