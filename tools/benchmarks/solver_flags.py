"""Flags of the benchmark of solvers, and what it can measure."""

import argparse
from collections.abc import Sequence

from mmldm.apis.cli import ConfigAction, add_flags
from mmldm.utils import check_range
from mmldm.utils.files import check_file_to_write

DEFAULT_CONFIG = 'mmldm::_base_/models/ldm_kl-f4.py'
NFE = (5, 8, 10, 12, 15, 20, 30, 50, 200)
# Limits: some hundred MB for all paths, and an hour of steps.
MOST = dict(
    num_samples=100_000, num_modes=1000, dim=1000, reference_steps=100_000
)
SOLVERS = {
    'DDIM': dict(type='DDIM'),
    'Heun': dict(type='Heun'),
    'PLMS': dict(type='PLMS'),
    'iPNDM-2-flow': dict(type='IPNDM', order=2, coordinates='flow'),
    'iPNDM-3-flow': dict(type='IPNDM', order=3, coordinates='flow'),
    'iPNDM-2': dict(type='IPNDM', order=2),
    'iPNDM-3': dict(type='IPNDM', order=3),
    'iPNDM-4': dict(type='IPNDM', order=4),
    'DPM++2M': dict(type='DPMSolverPP', order=2),
    'DPM++3M': dict(type='DPMSolverPP', order=3),
    'DPM++2S': dict(type='DPMSolverSinglestep', order=2),
    'DPM++3S': dict(type='DPMSolverSinglestep', order=3),
    'UniPC-2': dict(type='UniPC', order=2),
    'UniPC-3': dict(type='UniPC', order=3),
}
GRIDS = {
    'leading': dict(type='LeadingGrid'),
    'trailing': dict(type='TrailingGrid'),
    'linspace': dict(type='LinspaceGrid'),
    'Karras': dict(type='KarrasGrid'),
    'log-SNR': dict(type='LogSNRGrid'),
    'equal-error': dict(type='EqualErrorGrid'),
    'log-SNR-to-0.0001': dict(type='LogSNRGrid', last_time=1e-4),
    'log-SNR-to-0.005': dict(type='LogSNRGrid', last_time=5e-3),
}


def _words(values: Sequence) -> str:
    return ' '.join(map(str, values))


FLAGS = {
    '--config': dict(
        default=DEFAULT_CONFIG,
        help='config of the default solver and grid (default: '
        f'{DEFAULT_CONFIG})',
    ),
    '--checkpoint': dict(
        help='trained model of --config, or a work directory, for the network'
    ),
    '--cfg-options': dict(
        nargs='+',
        action=ConfigAction,
        default={},
        metavar='KEY=VALUE',
        help='change the config, as in tools/test.py',
    ),
    '--nfe': dict(
        nargs='+',
        type=int,
        default=NFE,
        metavar='N',
        help=f'evaluations of the network (default: {_words(NFE)})',
    ),
    **{
        f'--{name}': dict(
            nargs='+',
            choices=choices,
            default=list(choices),
            metavar='NAME',
            help=f'some of {_words(choices)} (default: all)',
        )
        for name, choices in (('solvers', SOLVERS), ('grids', GRIDS))
    },
    **{
        flag: dict(
            type=int, default=number, help=f'{text} (default: {number})'
        )
        for flag, number, text in (
            ('--num-samples', 128, 'number of paths'),
            ('--num-modes', 40, 'Gaussians of the mixture'),
            ('--dim', 32, 'dimensions'),
            ('--reference-steps', 1000, 'steps of the fine path'),
            ('--seed', 0, 'seed of all noise'),
        )
    },
    '--guidance': dict(
        type=float,
        default=1.0,
        metavar='SCALE',
        help='classifier-free guidance of the mixture; a checkpoint uses that '
        'of its config (default: 1, none)',
    ),
    '--out': dict(metavar='FILE.json', help='write the errors here'),
    '--plot': dict(
        metavar='FILE.png', help='plot the errors, one panel a grid'
    ),
}


def parse_args(description: str | None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_flags(parser, {'': FLAGS})
    args = parser.parse_args()
    for name, most in MOST.items():
        check_range(
            f'--{name.replace("_", "-")}', getattr(args, name), 1, most
        )
    for name in ('out', 'plot'):
        if getattr(args, name) is not None:
            check_file_to_write(f'--{name}', getattr(args, name))
    if max(args.nfe) > MOST['reference_steps']:
        raise ValueError(
            f'--nfe {_words(args.nfe)} must be at most '
            f'{MOST["reference_steps"]}'
        )
    if min(args.nfe) < 2:
        raise ValueError(
            f'--nfe {_words(args.nfe)} must be 2 or more, as PLMS needs 2'
        )
    return args
