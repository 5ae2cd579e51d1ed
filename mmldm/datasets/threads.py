"""Many files looked at at once, with the same outcome whatever the order."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from .report import DataReport

Item = TypeVar('Item')
Result = TypeVar('Result')

# Threads wait for the disk, so there may be more of them than cores.
NUM_WORKERS = 8


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item]
) -> list[Result]:
    """``work`` of all items, in their order.

    Args:
        work: May be called for several items at once.
        items: All of them.
    """
    with ThreadPoolExecutor(NUM_WORKERS) as pool:
        return list(pool.map(work, items))


def in_threads_counted(
    work: Callable[[Item, DataReport], Result],
    items: Iterable[Item],
    report: DataReport,
) -> list[Result]:
    """``work`` of all items, in their order, and what it counts.

    Each item has a report of its own, and these are joined in the order of
    the items: which one is named as the example does not depend on the
    threads.

    Args:
        work: (item, its report) -> result; may be called for several items
            at once.
        items: All of them.
        report: Which all reports are joined to.
    """
    results = []
    for result, own in in_threads(partial(_with_report, work), items):
        report.join(own)
        results.append(result)
    return results


def _with_report(
    work: Callable[[Item, DataReport], Result], item: Item
) -> tuple[Result, DataReport]:
    own = DataReport('')
    return work(item, own), own
