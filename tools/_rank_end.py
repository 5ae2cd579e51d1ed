"""Search for the process that failed first, and its message."""

import json
import signal
from dataclasses import dataclass
from pathlib import Path

# Seconds between the agent's SIGTERM and its SIGKILL.
PATIENCE = 30
# Exit codes of a process that was killed from outside or by its own fault.
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
    """The end of a process.

    Args:
        exitcode: Exit status; -N if signal N ended the process.
        pid: Number of the process.
        kind: See ``report_of`` of _rank.py; 'none' without a report.
        text: Message or traceback.
        time: Time of the report, or of the discovery of its end, seconds.
    """

    exitcode: int
    pid: int
    kind: str = 'none'
    text: str = ''
    time: float = 0.0

    def by_agent(self, first: float) -> bool:
        """Whether the agent ended it after another one ended at ``first``."""
        if self.exitcode == -signal.SIGKILL:
            return self.time >= first + PATIENCE - 1
        return self.exitcode == -signal.SIGTERM


def read_reports(
    folder: str | Path, ends: dict[int, RankEnd]
) -> dict[int, RankEnd]:
    """The ends by rank, completed by the ranks' reports."""
    ends = dict(ends)
    for path in Path(folder).glob('*.json'):
        end = ends.get(int(path.stem))
        if end is not None:
            report = json.loads(path.read_text())
            ends[int(path.stem)] = RankEnd(end.exitcode, end.pid, **report)
    return ends


def _blame(ends: dict[int, RankEnd], rank: int) -> tuple[int, float, int]:
    """A sort key: lower for a cause, higher for a consequence."""
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
    """The message about the first failure, and the exit status."""
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
    """A user's error, with its ranks added to its line."""
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
    """The message of a rank that lost another one.

    Args:
        text: Text of the error.
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
