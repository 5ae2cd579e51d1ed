"""The time that metrics add to a test of generated images.

    python tools/benchmarks/metrics_cost.py MODEL --num 64

MODEL is a work directory or a published file.

The time to generate an image, eight at a time as a test on a CPU does, and to
take its features, for several networks and sizes. Sums and the distance itself
are included, for as many images.
"""

from __future__ import annotations

import argparse
import platform
import time
from datetime import date
from typing import TYPE_CHECKING

from mmldm.apis import run_tool
from mmldm.utils import check_count

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from torch import Tensor

    from mmldm.models.feature_networks import FeatureNetwork

SIDES = (32, 64, 224)
GROUP = 8


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('model', help='work directory or model file')
    parser.add_argument(
        '--num', type=int, default=64, help='images to generate (default: 64)'
    )
    args = parser.parse_args()
    check_count('--num', args.num)
    return args


def generate(model: str, num: int) -> tuple[list, float]:
    """Images, and seconds for each."""
    from mmldm.apis import init_model
    from mmldm.datasets import GenerationRequests

    model = init_model(model)
    size = model.image_size
    pack = [dict(type='PackInputs')]
    requests = GenerationRequests(num, size, pack, num_classes=10)
    images: list[Tensor] = []
    start = time.perf_counter()
    for first in range(0, num, GROUP):
        numbers = range(first, min(first + GROUP, num))
        samples = [requests[i]['data_samples'] for i in numbers]
        images += [s.pred_img for s in model.predict(None, samples)]
    return images, (time.perf_counter() - start) / num


def judging(network: FeatureNetwork, images: list) -> float:
    """Seconds for each image."""
    from mmldm.evaluation.feature_collector import FeatureCollector

    FeatureCollector(network).add(images[:2])  # the first call is slower
    collector = FeatureCollector(network)
    start = time.perf_counter()
    for first in range(0, len(images), GROUP):
        collector.add(images[first : first + GROUP])
    collector.finish(len(images))
    return (time.perf_counter() - start) / len(images)


def main() -> None:
    """Measure and print a table."""
    args = parse_args()
    import torch

    from mmldm.models.feature_networks import EfficientNetLiteFeatures

    torch.set_num_threads(1)
    images, sampling = generate(args.model, args.num)
    print(f'{args.num} images, {date.today()}, one thread')
    print(f'torch {torch.__version__}, {platform.processor()}\n')
    print('| | ms for an image | of the sampling |\n|---|--:|--:|')
    print(f'| sampling | {1000 * sampling:.1f} | |')
    for side in SIDES:
        seconds = judging(EfficientNetLiteFeatures(side), images)
        share = 100 * seconds / sampling
        print(
            f'| EfficientNet-Lite0, {side} pixels | {1000 * seconds:.1f} | '
            f'{share:.1f} % |'
        )


if __name__ == '__main__':
    run_tool(main)
