"""Test whether a feature network notices what people see.

    python tools/benchmarks/judges.py
    python tools/benchmarks/judges.py --features EfficientNetLiteFeatures \\
        --side 64 --num 300

Crops of the photographs in scikit-learn and scikit-image are compared with
other crops of the same photographs. The Frechet distances of five such sets
show the effect of chance. Then one set is blurred, made noisy, compressed,
coloured, or taken from half of the photographs only. A good network gives each
of these a distance that chance does not explain.
"""

from __future__ import annotations

import argparse
import io
import platform
import statistics
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from mmldm.apis import run_tool
from mmldm.apis.cli import add_flags
from mmldm.apis.cli.feature_flags import FLAGS, network_config
from mmldm.utils import check_count

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from mmldm.evaluation.feature_sets import FeatureSet
    from mmldm.models.feature_networks import FeatureNetwork

SIDE = 64


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--num', type=int, default=500, help='crops in a set (default: 500)'
    )
    parser.add_argument(
        '--seeds',
        type=int,
        default=5,
        help='number of sets of plain crops, 2 or more (default: 5)',
    )
    add_flags(parser, {'': FLAGS})
    args = parser.parse_args()
    check_count('--num', args.num)
    check_count('--seeds', args.seeds)
    if args.seeds < 2:
        raise ValueError(f'--seeds {args.seeds} must be 2 or more')
    return args


def crops(photographs: list[np.ndarray], num: int, seed: int) -> np.ndarray:
    """Random squares from the photographs in turn, uint8 (N, S, S, 3)."""
    random = np.random.default_rng(seed)
    squares = []
    for i in range(num):
        image = photographs[i % len(photographs)]
        top, left = (random.integers(n - SIDE + 1) for n in image.shape[:2])
        squares.append(image[top : top + SIDE, left : left + SIDE])
    return np.stack(squares)


def blur(image: np.ndarray) -> np.ndarray:
    """Blur by a Gaussian with a deviation of one pixel."""
    soft = Image.fromarray(image).filter(ImageFilter.GaussianBlur(1))
    return np.asarray(soft)


def add_noise(image: np.ndarray) -> np.ndarray:
    """Add Gaussian noise with a deviation of 10 of 255."""
    noise = np.random.default_rng(int(image.sum())).normal(0, 10, image.shape)
    return (image + noise).round().clip(0, 255).astype(np.uint8)


def compress(image: np.ndarray) -> np.ndarray:
    """Compress to JPEG with quality 30."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, 'JPEG', quality=30)
    return np.asarray(Image.open(file))


def shift_colour(image: np.ndarray) -> np.ndarray:
    """Make red brighter and blue darker, both by 20 of 255."""
    shifted = image.astype(int) + [20, 0, -20]
    return shifted.clip(0, 255).astype(np.uint8)


DISTORTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'blur, 1 pixel': blur,
    'noise, 10 of 255': add_noise,
    'JPEG, quality 30': compress,
    'colour, 20 of 255': shift_colour,
}


def read_photographs() -> list[np.ndarray]:
    """The photographs, uint8 RGB (H, W, 3), each once."""
    from mmldm.toy_data.photographs import (
        FROM_SKIMAGE,
        FROM_SKLEARN,
        read_photograph,
    )

    return [read_photograph(n)[0] for n in (*FROM_SKLEARN, *FROM_SKIMAGE)]


def measure(images: np.ndarray, network: FeatureNetwork) -> FeatureSet:
    """Measure the features of a set."""
    import torch

    from mmldm.apis.judging import measure_images

    tensors = [torch.from_numpy(i.copy()).permute(2, 0, 1) for i in images]
    return measure_images(tensors, network, ['fd'], 'judge')


def distances(
    args: argparse.Namespace, network: FeatureNetwork
) -> tuple[list[float], dict[str, float]]:
    """Distances of the sets of plain crops, and of each distortion."""
    from mmldm.evaluation.feature_sets import frechet

    photographs = read_photographs()
    reference = measure(crops(photographs, args.num, 1000), network)

    def distance(images: np.ndarray) -> float:
        return frechet(measure(images, network), reference)['fd']

    chance = [
        distance(crops(photographs, args.num, seed))
        for seed in range(args.seeds)
    ]
    plain = crops(photographs, args.num, 0)
    distorted = {
        name: distance(np.stack([distort(image) for image in plain]))
        for name, distort in DISTORTIONS.items()
    }
    half = photographs[: len(photographs) // 2]
    distorted['half of the photographs'] = distance(crops(half, args.num, 0))
    return chance, distorted


def report(chance: list[float], distorted: dict[str, float]) -> str:
    """A Markdown table of distances, also in units of chance's spread."""
    mean, spread = statistics.mean(chance), statistics.stdev(chance)
    rows = ['| set | distance | spreads above chance |', '|---|---|---|']
    rows.append(f'| other crops | {mean:.4g} +- {spread:.2g} | |')
    rows += [
        f'| {name} | {value:.4g} | {(value - mean) / spread:.0f} |'
        for name, value in distorted.items()
    ]
    return '\n'.join(rows)


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    config = network_config(args.features, args.side, args.pretrained)
    import torch

    from mmldm.models.feature_networks import build_feature_network
    from mmldm.utils.devices import available_device

    network = build_feature_network(config).to(available_device(args.device))
    table = report(*distances(args, network))
    print(
        f'{platform.processor() or platform.machine()}, torch '
        f'{torch.__version__}, {date.today()}, {args.num} crops of {SIDE}x'
        f'{SIDE}, {network.protocol}'
    )
    print(table)


if __name__ == '__main__':
    run_tool(main)
