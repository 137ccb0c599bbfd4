"""Downloads as bars, on a terminal."""

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Column
from rich.text import Text

from buildlock.cli.talk import Line, is_worth_a_bar
from buildlock.reporting import Transferred


class Bars:
    """Bars on stderr, from when this is made until `close`; what is said meanwhile goes above them."""

    def __init__(self) -> None:
        label = Column(no_wrap=True, overflow="ellipsis", ratio=1)
        self._console = _open_console()
        self._progress = Progress(
            TextColumn("{task.description}", table_column=label),
            BarColumn(bar_width=24),
            DownloadColumn(table_column=Column(no_wrap=True, justify="right")),
            TransferSpeedColumn(table_column=Column(no_wrap=True, justify="right")),
            console=self._console,
            transient=True,
            expand=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._progress.start()

    def advance(self, event: Transferred) -> None:
        """Show how a download gets on."""
        task = self._tasks.get(event.filename)
        if task is None:
            if not is_worth_a_bar(event):
                return
            name = " ".join(event.filename.split("-")[:2])
            task = self._tasks[event.filename] = self._progress.add_task(name, total=event.total)
        self._progress.update(task, completed=event.done, total=event.total, visible=event.done != event.total)

    def say(self, line: Line) -> None:
        _show(self._console, line)

    def close(self) -> None:
        self._progress.stop()


def say_on_windows(line: Line) -> None:
    """A line of talk on a terminal that may be too old for escape codes."""
    _show(_open_console(), line)


def _open_console() -> Console:
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def _show(console: Console, line: Line) -> None:
    console.print(Text.assemble(*line.pieces), soft_wrap=True)
