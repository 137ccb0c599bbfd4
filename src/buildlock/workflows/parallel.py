"""Work that waits for the network, several pieces at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from buildlock.answers.looking import for_thread

WORKERS = 8

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_parallel(
    work: Callable[[_Item], _Result], items: Sequence[_Item], *, give_up: Callable[[], None]
) -> tuple[_Result, ...]:
    """The results in the order of `items`; the first failure, or an interruption, ends it all.

    Args:
        work: Called from several threads.
        items: The first ones are begun first.
        give_up: Makes the work that is under way end soon; it is waited for.
    """
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="buildlock") as pool:
        futures = [pool.submit(for_thread(work), item) for item in items]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            give_up()
            raise
    return tuple(future.result() for future in futures)
