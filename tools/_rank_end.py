"""Which of several processes failed first, and how to say it."""

import json
import signal
from dataclasses import dataclass
from pathlib import Path

# After so many seconds the agent's SIGTERM is followed by its SIGKILL.
PATIENCE = 30
# What ends a process from outside, or by its own fault, not by a peer's.
FATAL = {
    -number
    for number in (
        signal.SIGKILL,
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGILL,
        signal.SIGFPE,
    )
}


@dataclass(frozen=True)
class RankEnd:
    """How a process ended.

    Args:
        exitcode: Its status; -N where signal N ended it.
        pid: Its number.
        kind: See ``report_of`` of _rank.py; 'none' where it left no report.
        text: Its message or traceback.
        time: When it wrote its report, or was found dead; in seconds.
    """

    exitcode: int
    pid: int
    kind: str = 'none'
    text: str = ''
    time: float = 0.0

    def by_agent(self, first: float) -> bool:
        """Whether the agent ended it, since another one ended at ``first``."""
        if self.exitcode == -signal.SIGKILL:
            return self.time >= first + PATIENCE - 1
        return self.exitcode == -signal.SIGTERM


def read_reports(
    folder: str | Path, ends: dict[int, RankEnd]
) -> dict[int, RankEnd]:
    """The ends by rank, with what the ranks have reported."""
    ends = dict(ends)
    for path in Path(folder).glob('*.json'):
        end = ends.get(int(path.stem))
        if end is not None:
            report = json.loads(path.read_text())
            ends[int(path.stem)] = RankEnd(end.exitcode, end.pid, **report)
    return ends


def _blame(ends: dict[int, RankEnd], rank: int) -> tuple[int, float, int]:
    """Lower for a cause, higher for a consequence."""
    end = ends[rank]
    if end.kind in ('mistake', 'bug'):
        order = 1
    elif end.kind == 'lost':
        order = 3
    elif end.by_agent(min(e.time for e in ends.values())):
        order = 4
    else:
        order = 0 if end.exitcode in FATAL else 2
    return order, end.time, rank


def describe(ends: dict[int, RankEnd], nodes: int = 1) -> tuple[str, int]:
    """What to show of the failure that came first, and the exit status."""
    first = min(ends, key=lambda rank: _blame(ends, rank))
    end = ends[first]
    status = end.exitcode
    if status < 0:
        status = 128 - status if end.kind == 'none' else 1
    if end.kind == 'mistake':
        same = [r for r in sorted(ends) if ends[r].text == end.text]
        return _with_ranks(end.text, same), status
    if end.kind == 'bug':
        return f'error: rank {first} failed:\n{end.text}', status
    if end.kind == 'lost':
        silent = [r for r in sorted(ends) if ends[r].kind == 'none']
        return f'error: rank {first} {_lost(end.text, silent, nodes)}', status
    if end.exitcode < 0:
        return f'error: rank {first} {_killed(end)}', status
    return (
        f'error: rank {first} ended with status {end.exitcode} and without '
        'a message',
        status,
    )


def _with_ranks(text: str, ranks: list[int]) -> str:
    """A user's error, with the ranks that have it in its line."""
    lines = text.splitlines()
    at = next((i for i, line in enumerate(lines) if 'error: ' in line), 0)
    lines[at] += f' ({_listed(ranks)})'
    return '\n'.join(lines)


def _listed(ranks: list[int]) -> str:
    noun = 'rank' if len(ranks) == 1 else 'ranks'
    return f'{noun} {", ".join(map(str, ranks))}'


def _killed(end: RankEnd) -> str:
    number = -end.exitcode
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f'signal {number}'
    text = f'(process {end.pid}) was ended by {name}'
    if number == signal.SIGKILL:
        text += (
            ': memory may have run out (see dmesg); if so, use a smaller '
            'batch, fewer loader workers or fewer processes'
        )
    return text


def _lost(text: str, silent: list[int], nodes: int) -> str:
    """What a rank says that misses another one.

    Args:
        text: Of the error.
        silent: Ranks of this machine that left no report.
        nodes: Number of machines.
    """
    other = 'another rank'
    if silent and nodes == 1:
        other = _listed(silent)
    reason = ' '.join(text.split())
    if 'timed out' in text.lower() or 'timeout' in text.lower():
        return (
            f'waited in vain for {other}, where a process hangs or needs '
            f'longer than env_cfg.dist_cfg.timeout: {reason}'
        )
    if nodes > 1:
        other += ' (the output on its machine says why)'
    return f'lost the connection to {other}: {reason}'
