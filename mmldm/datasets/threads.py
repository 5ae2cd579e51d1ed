"""Work on many files at once, with results that do not depend on timing."""

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
    """Results of ``work`` for all items, in the items' order.

    Args:
        work: Function of an item; it runs for several items at once.
        items: The items.
    """
    with ThreadPoolExecutor(NUM_WORKERS) as pool:
        return list(pool.map(work, items))


def in_threads_counted(
    work: Callable[[Item, DataReport], Result],
    items: Iterable[Item],
    report: DataReport,
) -> list[Result]:
    """Results of ``work`` for all items, in the items' order; join reports.

    Each item has its own report, and these are joined in the items' order:
    the example in a message does not depend on the threads.

    Args:
        work: (item, its report) -> result; it runs for several items at
            once.
        items: The items.
        report: Receives the counts of all items' reports.
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
