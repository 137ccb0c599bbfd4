"""Downloads as bars, on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Column

from buildlock.reporting import Transferred

_WORTH_A_BAR = 1 << 18
"""Bytes; what is smaller is there before anyone could read its name."""


@contextmanager
def show_bars(console: Console) -> Iterator[Callable[[Transferred], None]]:
    """Show how downloads get on while the block runs, as far as the function is told that it yields."""
    label = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    columns = (
        TextColumn("{task.description}", table_column=label),
        BarColumn(bar_width=24),
        DownloadColumn(table_column=Column(no_wrap=True, justify="right")),
        TransferSpeedColumn(table_column=Column(no_wrap=True, justify="right")),
    )
    tasks: dict[str, TaskID] = {}

    def advance(event: Transferred) -> None:
        task = tasks.get(event.filename)
        if task is None:
            if max(event.done, event.total or 0) < _WORTH_A_BAR:
                return
            name = " ".join(event.filename.split("-")[:2])
            task = tasks[event.filename] = progress.add_task(name, total=event.total)
        progress.update(task, completed=event.done, total=event.total, visible=event.done != event.total)

    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        yield advance
