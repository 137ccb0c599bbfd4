"""Where the time of a command went, for `--timings`."""

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final, get_args

from buildlock.reporting import Asked, Entered, Event, Left, Phase, Received, Transferred

_WAITING: Final[Phase] = "waiting"
_PHASES: Final[tuple[Phase, ...]] = tuple(phase for phase in get_args(Phase) if phase != _WAITING)
_MIB: Final = 1 << 20


class Timings:
    """Tells from events how long the main thread was busy with what; the innermost phase counts.

    What the main thread waits for is what other threads do, so that time is shared out as their own time is. The
    phases, `start-up` and `other` add up to the whole.

    Args:
        clock: Seconds, of one thread or of all.
        spent: Seconds that the process has computed so far. As long as it only starts, it does nothing else, so that is
            when it began.
    """

    def __init__(
        self, clock: Callable[[], float] = time.perf_counter, spent: Callable[[], float] = time.process_time
    ) -> None:
        self._clock = clock
        self._start_up = spent()
        self._begun = clock()
        self._main = threading.get_ident()
        self._mutex = threading.Lock()
        self._phases: dict[int, list[Phase]] = {}
        self._since: dict[int, float] = {}
        self._seconds: defaultdict[Phase, float] = defaultdict(float)
        self._elsewhere: defaultdict[Phase, float] = defaultdict(float)
        self._before: Mapping[Phase, float] = {}
        self._requests = self._received = self._files = 0

    def take(self, event: Event) -> None:
        """Take note of an event; called from any thread."""
        with self._mutex:
            match event:
                case Entered(phase):
                    self._charge()
                    self._phases.setdefault(threading.get_ident(), []).append(phase)
                    if phase == _WAITING:
                        self._before = self._elsewhere.copy()
                case Left():
                    self._charge()
                    self._phases[threading.get_ident()].pop()
                case Asked():
                    self._requests += 1
                case Received(size):
                    self._received += size
                case Transferred(_, done, total):
                    self._files += done == total

    def _charge(self) -> None:
        """Count the time since this thread last told of anything."""
        thread, now = threading.get_ident(), self._clock()
        seconds = now - self._since.get(thread, now)
        self._since[thread] = now
        if phases := self._phases.get(thread):
            if thread != self._main:
                self._elsewhere[phases[-1]] += seconds
            elif phases[-1] == _WAITING:
                self._share_out(seconds)
            else:
                self._seconds[phases[-1]] += seconds

    def _share_out(self, seconds: float) -> None:
        meanwhile = {phase: spent - self._before.get(phase, 0) for phase, spent in self._elsewhere.items()}
        for phase, spent in meanwhile.items():
            self._seconds[phase] += seconds * spent / (sum(meanwhile.values()) or 1)

    def render(self) -> Iterator[str]:
        """The lines of the table."""
        with self._mutex:
            total = self._start_up + self._clock() - self._begun
            rows = [("start-up", self._start_up), *((str(phase), self._seconds[phase]) for phase in _PHASES)]
            rows.append(("other", max(total - sum(seconds for _, seconds in rows), 0.0)))
            yield "Time by phase, in seconds:"
            for name, seconds in (*rows, ("total", total)):
                yield f"  {name:<20}{seconds:>9.3f}"
            yield f"requests: {self._requests}, received: {self._received / _MIB:.1f} MiB, files fetched: {self._files}"
        if peaks := _measure_memory():
            yield "peak memory: {:.1f} MiB, of the largest process that was run: {:.1f} MiB".format(*peaks)


def _measure_memory() -> tuple[float, float] | None:
    """MiB, of this process and of the largest one that it waited for; `None` where the platform does not say."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - it is not there on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    own, others = (usage.ru_maxrss * unit / _MIB for usage in usages)
    return own, others
