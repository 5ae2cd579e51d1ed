"""Which failure of several is shown."""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools'))

from _rank_end import PATIENCE, RankEnd, describe  # noqa: E402

KILLED = RankEnd(-signal.SIGKILL, 5, time=10)
BY_AGENT = RankEnd(-signal.SIGTERM, 6, time=10)
BUG = RankEnd(1, 7, 'bug', 'Traceback\nValueError: x', 9.5)
LOST = RankEnd(1, 8, 'lost', '[gloo/transport] Connection closed', 9)
ABORTED = RankEnd(-signal.SIGABRT, 9, time=10)


@pytest.mark.parametrize(
    'ends, words',
    [
        ({0: LOST, 1: KILLED}, 'rank 1 (process 5) was ended by SIGKILL'),
        ({0: BUG, 1: KILLED}, 'rank 1 (process 5) was ended by SIGKILL'),
        ({0: LOST, 1: BUG}, 'rank 1 failed:\nTraceback'),
        ({0: ABORTED, 1: BUG}, 'rank 1 failed:\nTraceback'),
        ({0: LOST, 1: ABORTED}, 'rank 1 (process 9) was ended by SIGABRT'),
        ({0: BY_AGENT, 1: LOST}, 'rank 1 lost the connection to rank 0'),
        ({0: BY_AGENT, 1: RankEnd(3, 4, time=10)}, 'rank 1 ended with stat'),
        ({0: BY_AGENT, 1: BY_AGENT}, 'rank 0 (process 6) was ended by SIGT'),
        ({0: RankEnd(-40, 4), 1: LOST}, 'rank 0 (process 4) was ended by si'),
    ],
)
def test_the_cause_is_shown_not_its_consequences(ends, words):
    text, status = describe(ends)
    assert text.startswith(f'error: {words}')
    assert status > 0


def test_the_earliest_of_several_causes_is_shown():
    later = RankEnd(1, 1, 'mistake', 'error: later', 3.0)
    early = RankEnd(1, 2, 'mistake', 'error: early\n(hint)', 2.0)
    ends = {0: later, 1: early, 2: early}
    assert describe(ends) == ('error: early (ranks 1, 2)\n(hint)', 1)


def test_a_rank_that_does_not_end_when_asked_to_did_not_run_out_of_memory():
    """The agent kills it after its patience."""
    silent = RankEnd(-signal.SIGKILL, 5, time=10 + PATIENCE)
    text, _ = describe({0: LOST, 1: silent})
    assert text.startswith('error: rank 0 lost the connection to rank 1')


def test_another_machine_is_where_to_look():
    text, _ = describe({0: LOST, 1: BY_AGENT}, nodes=2)
    assert 'another rank (the output on its machine says why)' in text
