"""Time our UNet against diffusers' with the same weights.

    python tools/benchmarks/denoiser.py
    python tools/benchmarks/denoiser.py --context-dim 512 --num-tokens 77
    python tools/benchmarks/denoiser.py CONFIG --batch-size 8 --device cuda

Forward pass and train step (forward and backward) are timed in float32 and in
bfloat16 autocast, with NCHW and channels_last memory. Each network runs in its
own process, ours as our Runner sets it up. Their runs alternate, so that a
busy machine slows both equally; the result is the median ratio over pairs of
runs. The last lines compare ours in bfloat16 and channels_last, as in our
configs for GPUs, with diffusers' defaults and its best row.

CONFIG is by default configs/ldm/ldm_kl-f4_8xb8-200k_images-256x256, whose
denoiser has 274 M parameters. diffusers is required (requirements/tests.txt).
"""

import argparse
import platform
from datetime import date

from mmengine.config import Config
from rich.progress import track

from mmldm.apis import run_tool
from mmldm.utils import check_count
from mmldm.utils.memory import check_images_fit
from mmldm.utils.shipped import config_path

CONFIG = 'mmldm::ldm/ldm_kl-f4_8xb8-200k_images-256x256.py'


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'config',
        nargs='?',
        default=CONFIG,
        help='config of a latent diffusion model, whose denoiser is timed',
    )
    for name, default, text in (
        ('--context-dim', None, 'channels of tokens for cross-attention'),
        ('--num-tokens', 1, 'tokens of each image, with --context-dim'),
        ('--size', 64, 'height and width of latents'),
        ('--batch-size', 1, 'latents of a run'),
        ('--repeats', 5, 'pairs of runs of each row'),
    ):
        parser.add_argument(
            name,
            type=int,
            default=default,
            help=f'{text} (default: {default})',
        )
    parser.add_argument(
        '--device', default='cpu', help='cpu or cuda (default: cpu)'
    )
    parser.add_argument(
        '--compile', action='store_true', help='time both under torch.compile'
    )
    args = parser.parse_args()
    from mmldm.utils.devices import available_device

    for name in ('num_tokens', 'size', 'batch_size', 'repeats'):
        check_count(f'--{name.replace("_", "-")}', getattr(args, name))
    if args.context_dim is not None:
        check_count('--context-dim', args.context_dim)
    available_device(args.device)
    check_images_fit('--batch-size', args.batch_size, args.size**2)
    return args


def denoiser_of(args: argparse.Namespace) -> dict:
    """The denoiser's config.

    Raises:
        ValueError: If the config has no denoiser, or not a UNet.
    """
    from mmldm.apis.first_stages import take_first_stage
    from mmldm.models.editors import complete_model

    model = Config.fromfile(config_path(args.config)).model.to_dict()
    if 'denoiser' not in model:
        raise ValueError(
            f'{args.config} has no model.denoiser: give the config of a '
            'latent diffusion model'
        )
    take_first_stage(model)
    config = dict(complete_model(model)['denoiser'])
    if config['type'].rpartition('.')[2] != 'DenoisingUNet':
        raise ValueError(
            f'{args.config} has model.denoiser.type={config["type"]!r}, which '
            'diffusers is not timed with: give the config of a DenoisingUNet'
        )
    if args.context_dim is not None:
        config['context_dim'] = args.context_dim
    return config


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    config = denoiser_of(args)
    # Not above: --help does not wait for torch.
    import torch
    from denoiser_report import OURS, THEIRS, rows, table, verdict
    from denoiser_runs import Setup, diffusers_own, measure, ours, start

    setup = Setup(
        *(args.batch_size, args.size, args.num_tokens, args.device),
        args.compile,
    )
    both = [start(build, config, setup) for build in (ours, diffusers_own)]
    params = {pipe.recv() for pipe in both}
    assert len(params) == 1, params
    device = (
        torch.cuda.get_device_name()
        if args.device.startswith('cuda')
        else f'{platform.processor() or platform.machine()}, '
        f'{torch.get_num_threads()} threads'
    )
    print(
        f'{params.pop() / 1e6:.0f} M parameters, batch {args.batch_size} of '
        f'{args.size}x{args.size} latents, {device}, torch '
        f'{torch.__version__}, {date.today()}'
    )
    results = {
        row: measure(both, (row, row), args.repeats)
        for row in track(rows(), description='rows')
    }
    defaults = measure(both, (OURS, THEIRS), args.repeats)
    for pipe in both:
        pipe.send(None)
    print(table(results))
    print(verdict(results, defaults))


if __name__ == '__main__':
    run_tool(main)
