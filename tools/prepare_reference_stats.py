"""Write the statistics of a training's images, for FID and similar metrics.

    python tools/prepare_reference_stats.py CONFIG OUT.safetensors
    python tools/prepare_reference_stats.py CONFIG OUT.safetensors \\
        --keep 10000 --cfg-options train_dataloader.dataset.data_root=data

Every image of train_dataloader goes once through the training's own pipeline
and through the feature network. The file holds exact sums for the Frechet
distance, the features of some images for metrics that compare images one by
one, and the protocol: data set, number of images, transforms, network and the
hash of its weights. Give it to GeneratedImages as reference, or to
tools/judge.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from mmldm.apis import config_parser, load_config, run_tool
from mmldm.apis.cli import add_flags
from mmldm.apis.cli.feature_flags import FLAGS, network_config
from mmldm.utils import check_range
from mmldm.utils.files import check_file_to_write

LOADER = 'train_dataloader'


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = config_parser(__doc__)
    parser.add_argument('out', help='the .safetensors file to write')
    parser.add_argument(
        '--keep',
        type=int,
        default=10000,
        help='images whose own features are stored too, evenly spread over '
        'the data, for kid, precision_recall and density_coverage (default: '
        '10000; 0 for none)',
    )
    add_flags(parser, {'': FLAGS})
    return parser.parse_args()


def dataset_config(cfg: Config) -> dict[str, Any]:
    """The config of the training's data set.

    Raises:
        ValueError: If it is missing.
    """
    loader = cfg.get(LOADER)
    if not loader or 'dataset' not in loader:
        raise ValueError(
            f'the config has no {LOADER} with a dataset: give the config of '
            'a training'
        )
    return loader.dataset.to_dict()


class Inputs(Sequence):
    """The training images of a data set, uint8 RGB (3, H, W).

    Args:
        dataset: The data set, with its pipeline.
    """

    def __init__(self, dataset: Sequence) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        """Number of images."""
        return len(self.dataset)

    def __getitem__(self, place: int) -> Any:
        """The image at an index."""
        return self.dataset[place]['inputs']


def main() -> None:
    """Measure the images and store their statistics."""
    args = parse_args()
    if not args.out.endswith('.safetensors'):
        raise ValueError(f'OUT={args.out} must end in .safetensors')
    check_range('--keep', args.keep, 0, float('inf'))
    check_file_to_write('OUT', args.out)
    network_settings = network_config(
        args.features, args.side, args.pretrained
    )
    config = dataset_config(load_config(args))
    from mmldm.apis.judging import measure_images
    from mmldm.evaluation.reference_statistics import (
        describe_data,
        save_statistics,
    )
    from mmldm.models.feature_networks import build_feature_network
    from mmldm.registry import DATASETS
    from mmldm.utils.devices import available_device

    dataset = DATASETS.build(config)
    network = build_feature_network(network_settings)
    network.to(available_device(args.device))
    wanted = ['fd', 'kid'] if args.keep else ['fd']
    images = measure_images(
        Inputs(dataset), network, wanted, LOADER, args.keep
    )
    save_statistics(images, args.out, describe_data(config, len(images)))
    print(f'Statistics of {len(images)} images written to {args.out}')


if __name__ == '__main__':
    run_tool(main)
