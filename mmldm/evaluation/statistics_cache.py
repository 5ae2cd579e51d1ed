"""A cache of the statistics of real images, which tests make themselves."""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log

from mmldm.utils.file_stamps import file_stamp

from .feature_sets import FeatureSet
from .reference_statistics import (
    describe_data,
    load_statistics,
    save_statistics,
)

# Folder in that of torch.hub, where feature networks lie too.
FOLDER = 'mmldm_statistics'


class StatisticsCache:
    """The file with the statistics of one data set for one network.

    Its name is a digest of the data set's config, of the names, sizes and
    times of its files, of the network, and of what is kept.

    Args:
        config: Config of the data set.
        dataset: The data set.
        protocol: The network's protocol.
        kept: Number of images whose features are kept.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        dataset: Any,
        protocol: Mapping[str, Any],
        kept: int,
    ) -> None:
        self.config = config
        digest = hashlib.sha256()
        facts = dict(config=config, protocol=protocol, kept=kept)
        digest.update(json.dumps(facts, default=str, sort_keys=True).encode())
        for line in _files(dataset, config):
            digest.update(line.encode())
        name = f'{protocol["network"]}_{digest.hexdigest()[:16]}.safetensors'
        self.path = Path(torch.hub.get_dir(), FOLDER, name)

    def load(self) -> FeatureSet | None:
        """The statistics; None if they are not there or damaged."""
        if not self.path.exists():
            return None
        try:
            return load_statistics(self.path)
        except ValueError as error:
            print_log(f'{error}', 'current', logging.WARNING)
            return None

    def save(self, statistics: FeatureSet) -> None:
        """Keep statistics; if they cannot be written, warn."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            source = describe_data(self.config, len(statistics))
            save_statistics(statistics, self.path, source)
        except OSError as error:
            print_log(
                f'the statistics of real images are not kept: {error}',
                'current',
                logging.WARNING,
            )
        else:
            print_log(
                f'The statistics of real images are kept in {self.path}',
                'current',
            )


def _files(dataset: Any, config: Mapping[str, Any]) -> Iterator[str]:
    """A line for each file of a data set that has files."""
    yield str(len(dataset))
    paths = [str(config.get('data_root') or '')]
    if hasattr(dataset, 'get_data_info'):
        entries = len(dataset) // getattr(dataset, 'samples_per_entry', 1)
        infos = (dataset.get_data_info(i) for i in range(entries))
        paths += [str(info.get('img_path')) for info in infos]
    for path in paths:
        yield f'{path} {file_stamp(path)}\n'
