"""Processes that share the work of a command."""

import os
from typing import NamedTuple

# The variable that each launcher sets, and the command that starts it.
LAUNCHED_BY = {
    'pytorch': ('RANK', 'tools/dist_train.sh, dist_test.sh or launch.py'),
    'slurm': ('SLURM_PROCID', 'tools/slurm_train.sh or slurm_test.sh'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'mpirun'),
}


class Share(NamedTuple):
    """The part of one process.

    Attributes:
        rank: Index of the process.
        processes: Number of processes.
    """

    rank: int = 0
    processes: int = 1


def check_launcher(launcher: str) -> None:
    """Raise if the launcher did not start this process."""
    variable, how = LAUNCHED_BY.get(launcher, ('PATH', ''))
    if variable not in os.environ:
        raise ValueError(
            f'launcher={launcher!r}, but the environment has no {variable}: '
            f'start by {how}, or omit --launcher'
        )


def join_processes(launcher: str, local_rank: int = 0) -> Share:
    """Connect to the other processes, if there are any.

    Args:
        launcher: How they were started: none, pytorch, slurm or mpi.
        local_rank: Index of the process on its machine, unless the
            environment has it.

    Raises:
        ValueError: If the launcher did not start this process, or there are
            more processes than GPUs.
    """
    check_launcher(launcher)
    if launcher == 'none':
        return Share()
    from mmengine.dist import get_dist_info, init_dist, is_distributed

    from mmldm.compat import (
        check_gpu_count,
        die_with_launcher,
        init_cpu_process_group,
    )

    os.environ.setdefault('LOCAL_RANK', str(local_rank))
    check_gpu_count()
    die_with_launcher()
    init_cpu_process_group()
    if not is_distributed():  # on a GPU
        init_dist(launcher)
    return Share(*get_dist_info())
