"""An audit for a terminal: to be read without colour, in 80 columns."""

from collections.abc import Iterator

from rich.text import Text

from buildlock.audit.model import Audit
from buildlock.audit.wording import describe_scope, summarize
from buildlock.diff.quoting import unquote
from buildlock.diff.render_text import list_findings, wrap


def render_text(audit: Audit, *, width: int = 80) -> Text:
    """The audit in lines of at most `width` columns, as far as its words allow."""
    return Text("\n").join(_list_lines(audit, width))


def _list_lines(audit: Audit, width: int) -> Iterator[Text]:
    yield from map(Text, wrap(f"{summarize(audit)}: {unquote(describe_scope(audit))}", width, "", "  "))
    yield from list_findings(audit, width)
    if commands := audit.list_updates():
        yield Text()
        yield Text("UPDATE", style="bold")
        for command in commands:
            yield Text(_wrap_command(command, width))


def _wrap_command(command: str, width: int) -> str:
    """A command in lines that a shell takes for one; an option stays with its value."""
    first, *options = command.split(" --")
    lines = [f"  {first}"]
    for option in options:
        if len(lines[-1]) + len(f" --{option} \\") > width:
            lines.append(f"    --{option}")
        else:
            lines[-1] += f" --{option}"
    return " \\\n".join(lines)
