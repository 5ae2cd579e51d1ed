"""The time that metrics add to a test of generated images.

    python tools/benchmarks/metrics_cost.py MODEL --num 64

MODEL is a work directory.

The time to generate an image, eight at a time as a test on a CPU does, and to
take its features, for several networks and sizes. Sums and the distance itself
are included, for as many images. Times are those of the processor, which other
programs do not change.
"""

from __future__ import annotations

import argparse
import platform
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from mmldm.apis import run_tool
from mmldm.utils import check_count

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from torch import nn

    from mmldm.models.feature_networks import FeatureNetwork
    from mmldm.structures import LDMDataSample

SIDES = (32, 64, 224)
GROUP = 8


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('model', help='work directory of a training')
    parser.add_argument(
        '--num', type=int, default=64, help='images to generate (default: 64)'
    )
    args = parser.parse_args()
    check_count('--num', args.num)
    return args


def generate(model: nn.Module, num: int) -> tuple[list, float]:
    """Data samples with images, and seconds for each."""
    from mmldm.datasets import GenerationRequests

    size = model.image_size
    pack = [dict(type='PackInputs')]
    requests = GenerationRequests(num, size, pack, num_classes=10)
    drawn: list[LDMDataSample] = []
    start = time.process_time()
    for first in range(0, num, GROUP):
        numbers = range(first, min(first + GROUP, num))
        samples = [requests[i]['data_samples'] for i in numbers]
        drawn += model.predict(None, samples)
    return drawn, (time.process_time() - start) / num


def own_metrics(work_dir: str, samples: list) -> float:
    """Seconds for each image by the metrics of a training's config."""
    from mmengine.config import Config
    from mmengine.evaluator import Evaluator

    import mmldm.evaluation  # noqa: F401 registers the metrics
    import mmldm.toy_data  # noqa: F401 and data sets
    from mmldm.registry import METRICS

    path = next(Path(work_dir).glob('*.py'))
    evaluator = Evaluator(METRICS.build(Config.fromfile(path).test_evaluator))
    start = time.process_time()
    for first in range(0, len(samples), GROUP):
        evaluator.process(samples[first : first + GROUP])
    evaluator.evaluate(len(samples))
    return (time.process_time() - start) / len(samples)


def judging(network: FeatureNetwork, images: list) -> float:
    """Seconds for each image."""
    from mmldm.evaluation.feature_collector import FeatureCollector

    FeatureCollector(network).add(images[:2])  # the first call is slower
    collector = FeatureCollector(network)
    start = time.process_time()
    for first in range(0, len(images), GROUP):
        collector.add(images[first : first + GROUP])
    collector.finish(len(images))
    return (time.process_time() - start) / len(images)


def main() -> None:
    """Measure and print a table."""
    args = parse_args()
    import torch

    from mmldm.apis import init_model
    from mmldm.models.feature_networks import EfficientNetLiteFeatures

    torch.set_num_threads(1)
    model = init_model(args.model)
    samples, sampling = generate(model, args.num)
    images = [sample.pred_img for sample in samples]
    print(f'{args.num} images, {date.today()}, one thread')
    print(f'torch {torch.__version__}, {platform.processor()}\n')
    print('| | ms for an image | of the sampling |\n|---|--:|--:|')
    print(f'| sampling | {1000 * sampling:.1f} | |')
    rows = {"the config's own metrics": own_metrics(args.model, samples)}
    for side in SIDES:
        name = f'EfficientNet-Lite0, {side} pixels'
        rows[name] = judging(EfficientNetLiteFeatures(side), images)
    for name, seconds in rows.items():
        share = 100 * seconds / sampling
        print(f'| {name} | {1000 * seconds:.1f} | {share:.1f} % |')


if __name__ == '__main__':
    run_tool(main)
