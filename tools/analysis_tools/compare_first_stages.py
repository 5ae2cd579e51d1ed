"""Compare first stages of several factors on your images, with a report.

    python tools/analysis_tools/compare_first_stages.py IMAGES
    python tools/analysis_tools/compare_first_stages.py IMAGES --factors 4 8 \\
        --size 128 --iters 5000 --ldm-iters 5000 --work-dir work_dirs/factors
    python tools/analysis_tools/compare_first_stages.py IMAGES --factors 4 \\
        --first-stages work_dirs/mine

As in section 4.1 of the paper, a small first stage is trained for each factor,
and then a diffusion model in the latents of each, all with the same number of
operations. Held-out images are reconstructed and samples are generated. The
work directory gets report.md with a recommendation, report.json, a plot
(report.png) and pictures (pictures.png). An interrupted call goes on, and
finished trainings are not repeated.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmldm.apis import run_tool
from mmldm.apis.cli import add_flags
from mmldm.apis.cli.feature_flags import FLAGS, network_config
from mmldm.utils import check_count, check_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Tensor

    from mmldm.apis.first_stage_comparison import Stage
    from mmldm.evaluation.feature_sets import FeatureSet
    from mmldm.models.feature_networks import FeatureNetwork

# Those of CHANNELS; listed here, so that --help does not import torch.
FACTORS = (2, 4, 8, 16, 32)
# Panels of the plot: title, key, and whether more is better.
PANELS = (
    ('PSNR of reconstructions, dB', 'psnr', True),
    ('feature distance of reconstructions', 'feature_distance', False),
    ('rFID of reconstructions', 'rfid', False),
    ('encode and decode, ms an image', 'both_ms', False),
    ('validation loss of the diffusion model', 'validation_loss', None),
    ('distance of samples to images', 'sample_distance', False),
)
# Flags of whole numbers: name, default and help.
NUMBERS = (
    ('size', 64, 'side of the images, pixels'),
    ('batch-size', 16, 'images of a training step'),
    ('iters', 1000, 'iterations of each first stage'),
    ('ldm-iters', 500, 'iterations of the most expensive diffusion model'),
    ('num-images', 256, 'held-out images to reconstruct, at most'),
    ('num-samples', 256, 'images to generate by each diffusion model'),
)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('images', help='folder of images')
    parser.add_argument(
        '--factors',
        type=int,
        nargs='*',
        choices=FACTORS,
        default=[2, 4, 8],
        help='factors of first stages to train (default: 2 4 8)',
    )
    parser.add_argument(
        '--first-stages',
        nargs='+',
        default=[],
        metavar='PATH',
        help='first stages that are trained already: work directories, '
        'checkpoints, or converted folders',
    )
    for name, default, text in NUMBERS:
        parser.add_argument(
            f'--{name}',
            type=int,
            default=default,
            help=f'{text} (default: {default})',
        )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/first_stages',
        help='folder of trainings and report (default: '
        'work_dirs/first_stages)',
    )
    add_flags(parser, {'': FLAGS})
    return parser.parse_args()


def train_all(stages: Sequence[Stage], size: int) -> list[dict[str, Any]]:
    """Train what is not trained yet; a row with the costs of each stage."""
    from dataclasses import replace

    from mmldm.apis.first_stage_comparison.trainings import (
        iterations_of_equal_cost,
        step_operations,
        train,
    )

    for stage in stages:
        if stage.training is not None:
            print(f'First stage {stage.name}', flush=True)
            train(stage.training)
    operations = [step_operations(stage.ldm, size) for stage in stages]
    iters = iterations_of_equal_cost(operations, stages[0].ldm.iters)
    for stage, count in zip(stages, iters, strict=True):
        print(f'Diffusion model in {stage.name}: {count} iterations')
        train(replace(stage.ldm, iters=count))
    return [
        dict(name=stage.name, step_gflop=cost / 1e9, ldm_iters=count)
        for stage, cost, count in zip(stages, operations, iters, strict=True)
    ]


def read_images(
    stages: Sequence[Stage], args: argparse.Namespace
) -> tuple[FeatureNetwork, list[Tensor], FeatureSet]:
    """The network of features, held-out images, and features of all images.

    Before the trainings, which take hours: it raises if there are too few.
    """
    from mmldm.apis.first_stage_comparison.measuring import images_of
    from mmldm.apis.first_stage_comparison.trainings import FIRST_STAGE
    from mmldm.apis.judging import measure_images
    from mmldm.apis.run_config import read_run_config
    from mmldm.models.feature_networks import build_feature_network
    from mmldm.utils.devices import available_device
    from mmldm.utils.shipped import config_path

    options = stages[0].ldm.options
    data = {k: v for k, v in options.items() if k.startswith('train_data')}
    cfg = read_run_config(str(config_path(FIRST_STAGE)), data, args.work_dir)
    images = images_of(cfg, 'val', args.num_images)
    everything = images_of(cfg, 'all', 10 * args.num_images)
    config = network_config(args.features, args.side, args.pretrained)
    network = build_feature_network(config).to(available_device(args.device))
    real = measure_images(everything, network, ['fd'], 'all images')
    return network, images, real


def measure_all(
    stages: Sequence[Stage],
    rows: list[dict[str, Any]],
    num_samples: int,
    network: FeatureNetwork,
    images: Sequence[Tensor],
    real: FeatureSet,
) -> list[list[np.ndarray]]:
    """Add what is measured to the rows; return the rows of pictures.

    The last three arguments are those of :func:`read_images`.
    """
    from mmldm.apis.first_stage_comparison.measuring import (
        measure_ldm,
        measure_stage,
    )

    pictures = [arrays(images)]
    for stage, row in zip(stages, rows, strict=True):
        found, reconstructions = measure_stage(stage.source, images, network)
        more, samples = measure_ldm(
            stage.ldm.work_dir, num_samples, real, network
        )
        row |= found | more
        row['network'] = network.name
        pictures += [arrays(reconstructions), arrays(samples)]
    return pictures


def arrays(images: Sequence[Tensor]) -> list[np.ndarray]:
    """Some of the images as uint8 RGB (H, W, 3)."""
    from mmldm.apis.first_stage_comparison.measuring import SHOWN

    return [image.permute(1, 2, 0).numpy() for image in images[:SHOWN]]


def plot(rows: Sequence[dict[str, Any]], best: str, path: Path) -> None:
    """A panel for each measure, a bar for each first stage."""
    from matplotlib.figure import Figure

    figure = Figure((11, 6), layout='constrained', dpi=110)
    names = [row['name'] for row in rows]
    colours = ['C1' if name == best else 'C0' for name in names]
    for axis, (title, key, more) in zip(
        figure.subplots(2, 3).flat, PANELS, strict=True
    ):
        values = [
            row['encode_ms'] + row['decode_ms']
            if key == 'both_ms'
            else row[key]
            for row in rows
        ]
        bars = axis.bar(names, values, color=colours, width=0.6)
        axis.bar_label(bars, fmt='%.3g', padding=2)
        axis.margins(y=0.15)
        better = {True: 'more is better', False: 'less is better'}
        note = better.get(more, 'not comparable between latents')
        axis.set_title(f'{title}\n({note})', fontsize=10)
        axis.spines[['top', 'right']].set_visible(False)
    figure.suptitle(f'First stages after equal compute; recommended: {best}')
    figure.savefig(path)


def draw_pictures(
    names: Sequence[str], pictures: list[list[np.ndarray]], path: Path
) -> None:
    """Originals, and reconstructions and samples of each first stage."""
    from matplotlib.figure import Figure

    titles = ['images']
    for name in names:
        titles += [f'{name}: reconstructions', f'{name}: samples']
    columns = max(map(len, pictures))
    figure = Figure((1.1 * columns + 2, 1.15 * len(pictures)), dpi=110)
    axes = figure.subplots(len(pictures), columns, squeeze=False)
    for row, title, images in zip(axes, titles, pictures, strict=True):
        for axis in row:
            axis.axis('off')
        for axis, image in zip(row, images, strict=False):
            axis.imshow(image)
        row[0].text(
            -0.15,
            0.5,
            title,
            transform=row[0].transAxes,
            ha='right',
            va='center',
        )
    figure.subplots_adjust(0.22, 0.01, 0.99, 0.99, 0.03, 0.03)
    figure.savefig(path)


def main() -> None:
    """Train, measure and report."""
    args = parse_args()
    for name in ('size', 'batch_size', 'iters', 'ldm_iters'):
        check_count(f'--{name.replace("_", "-")}', getattr(args, name))
    # A Frechet distance needs two.
    check_range('--num-images', args.num_images, 2, math.inf)
    check_range('--num-samples', args.num_samples, 2, math.inf)
    from mmldm.apis.first_stage_comparison import (
        Budget,
        plan_stages,
        recommend,
        table,
    )

    budget = Budget(
        args.images, args.size, args.batch_size, args.iters, args.ldm_iters
    )
    folder = Path(args.work_dir)
    stages = plan_stages(args.factors, args.first_stages, budget, folder)
    data = read_images(stages, args)
    rows = train_all(stages, args.size)
    pictures = measure_all(stages, rows, args.num_samples, *data)
    best, reason = recommend(rows, args.num_samples)
    text = f'{table(rows)}\n\nRecommended: {best}. {reason}\n'
    print(text)
    (folder / 'report.md').write_text(text)
    result = dict(vars(args), rows=rows, recommended=best, reason=reason)
    (folder / 'report.json').write_text(json.dumps(result, indent=2) + '\n')
    plot(rows, best, folder / 'report.png')
    draw_pictures(
        [stage.name for stage in stages], pictures, folder / 'pictures.png'
    )
    print(f'Report, plot and pictures in {folder}')


if __name__ == '__main__':
    run_tool(main)
