"""Comparison of image sets, in folders or files, by a network's features."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from mmldm.datasets.image_files import read_image
from mmldm.datasets.image_search import sound_images
from mmldm.datasets.report import DataReport
from mmldm.evaluation.feature_collector import collector_for, spread
from mmldm.evaluation.feature_sets import (
    COMPARED,
    FeatureSet,
    check_protocols,
    compare_sets,
)
from mmldm.evaluation.generated_images import few_images
from mmldm.evaluation.reference_statistics import load_statistics
from mmldm.models.feature_networks import FeatureNetwork

# Name of the array in the files of OpenAI's evaluation of ADM.
ARRAY = 'arr_0'
BATCH = 32


class ImageFiles(Sequence[Tensor]):
    """The images of a folder, uint8 RGB (3, H, W).

    Args:
        folder: The folder, searched recursively. Unreadable files are left
            out, and counted in the log.

    Raises:
        ValueError: If the folder has no readable images.
    """

    def __init__(self, folder: str) -> None:
        self.paths = sound_images(folder, DataReport(folder))

    def __len__(self) -> int:
        """Number of images."""
        return len(self.paths)

    def __getitem__(self, place: int) -> Tensor:
        """The image at an index, in the order of the names."""
        image = read_image(self.paths[place])
        return torch.from_numpy(image).permute(2, 0, 1)


class ImageArray(Sequence[Tensor]):
    """The images of an ``.npz`` file, uint8 RGB (3, H, W).

    Args:
        path: Path of a file whose ``arr_0`` is uint8, (N, H, W, 3), as in
            OpenAI's evaluation of guided diffusion.

    Raises:
        ValueError: If the file has another content.
    """

    def __init__(self, path: str) -> None:
        if not zipfile.is_zipfile(path):
            raise ValueError(
                f'{path} is not an .npz file: give a folder of images, or an '
                f'.npz file whose {ARRAY} is uint8 (N, H, W, 3)'
            )
        try:
            with np.load(path, allow_pickle=False) as arrays:
                self.images = arrays[ARRAY]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(
                f'{path} holds no images ({error}): expected an .npz file '
                f'whose {ARRAY} is uint8 (N, H, W, 3)'
            ) from error
        shape, kind = self.images.shape, self.images.dtype
        if kind != np.uint8 or len(shape) != 4 or shape[-1] != 3:
            raise ValueError(
                f'{path}: {ARRAY} is {kind} {shape}, expected uint8 '
                '(N, H, W, 3)'
            )

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def __getitem__(self, place: int) -> Tensor:
        """The image at an index."""
        return torch.from_numpy(self.images[place]).permute(2, 0, 1)


def open_images(source: str) -> Sequence[Tensor]:
    """The images of a folder or of an ``.npz`` file.

    Raises:
        FileNotFoundError: If the folder or file is missing.
        ValueError: If it has no images.
    """
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(
            f'{source} does not exist: give a folder of images or an .npz file'
        )
    return ImageFiles(source) if path.is_dir() else ImageArray(source)


def measure_images(
    images: Sequence[Tensor],
    network: FeatureNetwork,
    metrics: Sequence[str],
    what: str,
    keep: int | None = None,
) -> FeatureSet:
    """Measure the features of images on the network's device.

    Args:
        images: uint8 RGB (3, H, W), of any sizes.
        network: The feature network.
        metrics: Metrics to compute later; they decide what is kept.
        what: Name of the images in the progress bar.
        keep: Number of images, evenly spread, whose features are kept if a
            metric needs features; None keeps those of all.
    """
    places = spread(len(images), keep or len(images))
    collector = collector_for(network, metrics)
    device = next(network.parameters()).device
    with tqdm(total=len(images), desc=what, unit='image') as progress:
        for start in range(0, len(images), BATCH):
            batch = range(start, min(start + BATCH, len(images)))
            collector.add(
                [images[i].to(device) for i in batch],
                [i in places for i in batch],
            )
            progress.update(len(batch))
    return collector.finish(len(images))


def judge_images(
    generated: str,
    reference: str,
    network: FeatureNetwork,
    metrics: Sequence[str],
) -> dict[str, Any]:
    """Compare generated with reference images as sets.

    Args:
        generated: Folder or ``.npz`` file of the generated images.
        reference: Folder or ``.npz`` file of the reference images, or a
            ``.safetensors`` file of their statistics.
        network: The feature network.
        metrics: Names in :data:`mmldm.evaluation.feature_sets.METRICS`.

    Returns:
        A dict with ``metrics``, whose names begin with the network's,
        ``generated``, ``reference``, ``protocol``, and ``caution``, a warning
        about comparisons that may be empty.

    Raises:
        FileNotFoundError: If one of the sets does not exist.
        ValueError: If a set has no images or too few, or the statistics have
            another protocol.
    """
    known = None
    if reference.endswith('.safetensors'):
        known = load_statistics(reference)
        check_protocols(network.protocol, known.protocol)
    sets = [open_images(generated)]
    if known is None:
        sets.append(open_images(reference))
    measured = [
        measure_images(images, network, metrics, name)
        for images, name in zip(sets, (generated, reference), strict=False)
    ]
    judged, real = measured[0], measured[1] if known is None else known
    values = compare_sets(judged, real, metrics)
    return dict(
        metrics={f'{network.name}/{k}': v for k, v in values.items()},
        generated=dict(source=generated, num_images=len(judged)),
        reference=dict(source=reference, num_images=len(real)),
        protocol=dict(network.protocol, **_source(real)),
        caution=few_images(judged, real),
    )


def _source(images: FeatureSet) -> dict[str, Any]:
    """The part of a protocol that describes the data."""
    own = {k: v for k, v in images.protocol.items() if k not in COMPARED}
    return dict(reference=own) if own else {}
