"""Answers of other threads, and those that are there at once: most of a lock that asks nobody needs no threads."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from buildlock.errors import BuildlockError

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_Result = TypeVar("_Result")


class NotAtHandError(Exception):
    """What was asked for has to be waited for."""


def complete(work: Callable[[], _Result]) -> "Future[_Result] | None":
    """What work comes to that is done here: another thread would only take its time too.

    Args:
        work: Raises `NotAtHandError` where it would have to wait; then there is no answer.
    """
    future: Future[_Result] = Future()
    try:
        future.set_result(work())
    except NotAtHandError:
        return None
    except BuildlockError as error:
        future.set_exception(error)
    return future


class Workers:
    """A pool of threads, made when there is work for it.

    Args:
        number: How many threads, at most.
        name: The beginning of their names.
    """

    def __init__(self, number: int, name: str) -> None:
        self._number = number
        self._name = name
        self._lock = Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False

    def submit(self, work: Callable[..., _Result], *arguments: object) -> "Future[_Result]":
        """Have one of them do something.

        Raises:
            RuntimeError: They are closed.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - see above

        with self._lock:
            if self._closed:
                raise RuntimeError("nothing is begun any more")
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._number, thread_name_prefix=self._name)
            return self._pool.submit(work, *arguments)

    def close(self, *, wait: bool) -> None:
        """Give up what has not begun, and wait for the rest or not."""
        with self._lock:
            self._closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=wait, cancel_futures=True)
