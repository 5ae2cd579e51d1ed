"""Start a script in several processes, and show their first error last.

    python tools/launch.py PROCESSES SCRIPT --launcher pytorch [arguments]

PROCESSES is the number of processes on this machine. For NNODES, NODE_RANK,
MASTER_ADDR and PORT see tools/dist_train.sh. torch's elastic agent starts,
watches and ends the processes. Each runs tools/_rank.py, which passes its
error to this script, so that the error is shown once and at the end.
"""

import argparse
import logging
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from _place import (
    JOIN_TIMEOUT,
    Place,
    meeting_trouble,
    read_place,
    wait_for_machine_0,
)
from _rank_end import RankEnd, describe, read_reports

IGNORE = signal.SIG_IGN
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
RANK = Path(__file__).with_name('_rank.py')


class Stopped(BaseException):
    """A signal that ends the launcher; ``args[0]`` is its number."""


def watch_signals(processes: int) -> None:
    """Raise :class:`Stopped` on a signal that asks the job to end.

    While torch waits in C++, for example for other machines, an exception
    cannot be raised: then this process ends at once, and Linux ends the ranks.
    """
    raised = threading.Event()

    def stop(number: int, _) -> None:
        raised.set()
        for other in SIGNALS:  # ignored from now on: the ranks are ending
            signal.signal(other, IGNORE)
        raise Stopped(number)

    def end_if_not_raised() -> None:
        number = os.read(reader, 1)[0]
        if not raised.wait(2):
            os._exit(say_stopped(number, processes))

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    threading.Thread(target=end_if_not_raised, daemon=True).start()
    for number in SIGNALS:
        # Under nohup, the process must keep ignoring SIGHUP.
        if number == signal.SIGHUP and signal.getsignal(number) == IGNORE:
            continue
        signal.signal(number, stop)


def say_stopped(number: int, processes: int) -> int:
    """Print that a signal ended the job, and return the exit status."""
    name = signal.Signals(number).name
    what = 'interrupted' if name == 'SIGINT' else f'ended by {name}'
    print(f'{what}: {processes} processes were stopped', file=sys.stderr)
    return 128 + number


def share_threads(processes: int) -> None:
    """Give each process its share of the cores, unless the user sets it."""
    share = max(1, len(os.sched_getaffinity(0)) // processes)
    threads = os.environ.setdefault('OMP_NUM_THREADS', str(share))
    os.environ.setdefault('MKL_NUM_THREADS', threads)


def run(
    place: Place, processes: int, command: list[str], reports: str
) -> dict[int, RankEnd]:
    """Run to the end; return the ends of this machine's ranks on failure.

    Raises:
        ValueError: If the machines do not find each other.
    """
    from torch.distributed import DistError
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import (
        ChildFailedError,
    )
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=place.nodes,
        max_nodes=place.nodes,
        nproc_per_node=processes,
        run_id='mmldm',
        rdzv_backend='static',
        rdzv_endpoint=f'{place.address}:{place.port}',
        rdzv_configs=dict(rank=place.node, timeout=JOIN_TIMEOUT),
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=reports),
        signals_to_handle='',  # those of this file
    )
    # The agent's Template reads a dollar sign as the start of a name.
    command = [part.replace('$', '$$') for part in command]
    try:
        elastic_launch(config, sys.executable)('-u', str(RANK), *command)
    except ChildFailedError as error:
        return {
            rank: RankEnd(
                failure.exitcode, failure.pid, time=failure.timestamp
            )
            for rank, failure in error.failures.items()
        }
    except DistError as error:
        raise ValueError(meeting_trouble(place, error)) from error
    return {}


def launch(processes: int, command: list[str]) -> None:
    """Run a script in processes; on failure, exit with its status."""
    place = read_place()
    wait_for_machine_0(place)
    share_threads(processes)
    # Hides the agent's 100 lines about a failure; ours is shown instead.
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix='mmldm-ranks-') as reports:
        os.environ['MMLDM_RANK_REPORTS'] = reports
        os.environ['MMLDM_LAUNCHER_PID'] = str(os.getpid())
        ends = run(place, processes, command, reports)
        if not ends:
            return
        ends = read_reports(reports, ends)
    text, status = describe(ends, place.nodes)
    print(text, file=sys.stderr)
    sys.exit(status)


def parse_args() -> argparse.Namespace:
    """The command line; arguments after the script belong to the script."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'processes',
        metavar='PROCESSES',
        type=int,
        help='number on this machine',
    )
    parser.add_argument('script', metavar='SCRIPT', help='such as train.py')
    parser.add_argument(
        'arguments', nargs=argparse.REMAINDER, help='arguments of the script'
    )
    args = parser.parse_args()
    if args.processes < 1:
        parser.error(f'PROCESSES={args.processes} must be 1 or more')
    return args


def main() -> None:
    """Start the processes, and report their first error."""
    args = parse_args()
    processes, command = args.processes, [args.script, *args.arguments]
    if {'-h', '--help'} & set(command):
        os.execv(sys.executable, [sys.executable, command[0], '--help'])
    watch_signals(processes)
    try:
        launch(processes, command)
    except ValueError as error:
        sys.exit(f'error: {error}')
    except Stopped as stopped:
        sys.exit(say_stopped(stopped.args[0], processes))


if __name__ == '__main__':
    main()
