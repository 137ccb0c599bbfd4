"""Answers that are there at once, as what other threads are going to answer."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from buildlock.errors import BuildlockError

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
