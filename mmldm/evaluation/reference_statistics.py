"""Files with the statistics of a reference set, and their protocol."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from mmldm.utils.whole_files import written_whole

from .feature_moments import FeatureMoments
from .feature_sets import FeatureSet

PROTOCOL = 'protocol'
SUMS = ('count', 'first', 'second')
# Images whose own features are kept, for metrics that compare images.
KEPT = 10_000
# Parts of the description of data that change an image's features.
DESCRIBING = ('dataset', 'dataset_size', 'transforms')


def describe_data(dataset: Mapping[str, Any], count: int) -> dict[str, Any]:
    """The part of a protocol that describes the data.

    Args:
        dataset: Config of the data set.
        count: Number of images in it.
    """
    described = dict(
        dataset=str(dataset['type']),
        data_root=str(dataset.get('data_root')),
        num_images=count,
        dataset_size=dataset.get('size'),
        transforms=[dict(t) for t in dataset.get('pipeline') or ()],
    )
    # As it will be read from a file.
    return json.loads(json.dumps(described, default=str))


def check_data(statistics: FeatureSet, dataset: Mapping[str, Any]) -> None:
    """Raise if statistics are of images that are prepared otherwise.

    Args:
        statistics: The content of a file.
        dataset: Config of the data set that is expected.

    Raises:
        ValueError: Names the difference.
    """
    expected = describe_data(dataset, len(statistics))
    for key in DESCRIBING:
        # A file of other tools does not describe its data.
        found = statistics.protocol.get(key, expected[key])
        if found != expected[key]:
            raise ValueError(
                f'GeneratedImages.reference has statistics with {key}='
                f'{found}, but the training has {key}={expected[key]}: '
                'prepare them again by tools/prepare_reference_stats.py, '
                'or set data={} to compare all the same'
            )


def save_statistics(
    images: FeatureSet, path: str | Path, source: Mapping[str, Any]
) -> None:
    """Write the statistics of a set to a ``.safetensors`` file.

    Args:
        images: The set; its features are stored if it has them.
        path: Path of the file.
        source: Plain values that describe the data, such as data set and
            transforms; they become part of the protocol.
    """
    tensors = {name: getattr(images.moments, name) for name in SUMS}
    if images.features is not None:
        tensors['features'] = images.features
    # A transform may be named by its class.
    protocol = json.dumps({**source, **images.protocol}, default=str)
    with written_whole(Path(path)) as file:
        file.write(save(tensors, metadata={PROTOCOL: protocol}))


def load_statistics(path: str | Path) -> FeatureSet:
    """Read a file that :func:`save_statistics` wrote.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it has another content.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'reference statistics {path} do not exist')
    try:
        tensors, protocol = _read(path)
        moments = _moments(tensors)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f'{path} holds no reference statistics ({error}): prepare them '
            'by tools/prepare_reference_stats.py'
        ) from error
    return FeatureSet(moments, protocol, tensors.get('features'))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safe_open(path, 'pt') as file:
        text = (file.metadata() or {})[PROTOCOL]
    protocol = json.loads(text)
    if not isinstance(protocol, dict):
        raise ValueError(f'its protocol is a {type(protocol).__name__}')
    return load_file(path), protocol


def _moments(tensors: Mapping[str, Tensor]) -> FeatureMoments:
    """The sums in a file, after a check of all types and shapes."""
    dim = len(tensors['first'])
    moments = FeatureMoments(0)  # a small file could ask for much memory
    for name, wanted in zip(SUMS, ((), (dim,), (dim, dim)), strict=True):
        value = tensors[name]
        if (value.dtype, value.shape) != (torch.int64, wanted):
            raise ValueError(
                f'{name} is {value.dtype} {tuple(value.shape)}, expected '
                f'int64 {wanted}'
            )
        setattr(moments, name, value)
    features = tensors.get('features')
    if features is not None and (
        not features.is_floating_point() or features.shape[1:] != (dim,)
    ):
        raise ValueError(
            f'features are {features.dtype} {tuple(features.shape)}, expected '
            f'floats (N, {dim})'
        )
    return moments
