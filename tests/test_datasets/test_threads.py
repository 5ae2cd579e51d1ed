"""What threads count does not depend on which of them is first."""

from threading import Event

from mmldm.datasets.report import DataReport
from mmldm.datasets.threads import in_threads_counted


def test_what_is_counted_is_in_the_order_of_the_items():
    last_is_done = Event()

    def work(item, report):
        if item == 0:
            assert last_is_done.wait(10)
        report.defect('are wrong', f'item {item}')
        if item == 3:
            last_is_done.set()
            report.note('is the last', f'item {item}')
        return 2 * item

    report = DataReport('threads')
    report.note('is the last', 'one before')
    assert in_threads_counted(work, range(4), report) == [0, 2, 4, 6]
    assert report.lines() == [
        '2 is the last, such as one before',
        '4 are wrong, such as item 0',
    ]


def test_a_joined_report_is_left_as_it_is():
    part = DataReport('part')
    part.defect('are wrong', 'a', 'mend them')
    whole = DataReport('whole')
    whole.join(part)
    whole.join(part)
    assert part.lines() == ['1 are wrong, such as a: mend them']
    assert whole.lines() == ['2 are wrong, such as a: mend them']


def test_a_joined_sentence_is_said_once():
    part = DataReport('part')
    part.state('Classes have numbers')
    whole = DataReport('whole')
    whole.join(part)
    whole.join(part)
    assert whole.lines() == ['Classes have numbers']
