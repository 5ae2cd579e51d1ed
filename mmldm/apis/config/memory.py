"""Check that a config's batches can fit into memory."""

import os
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config

from mmldm.utils.memory import total_memory

# Three channels: uint8 from the loader, and float32 for the networks.
BYTES_PER_PIXEL = 3 * (1 + 4)
# Objects of a data sample, without its pixels.
BYTES_PER_SAMPLE = 1024
# Feature maps that a residual block keeps for its gradients.
MAPS_PER_BLOCK = 4
BYTES_PER_NUMBER = 2


def check_batch_memory(cfg: Config, *phases: str) -> None:
    """Raise if a batch needs more memory than the machine has.

    The estimate is a lower bound: the images of one batch and, in training,
    the feature maps of highest resolution that the trained network keeps for
    its gradients.

    Args:
        cfg: A checked config.
        phases: The phases that will run here, of 'train', 'val' and 'test'.
            A config for a cluster may be tested on a small machine.

    Raises:
        ValueError: Names the key of the batch size.
    """
    memory = _largest_memory()
    for phase in phases:
        loader = cfg.get(f'{phase}_dataloader')
        if not isinstance(loader, Mapping):
            continue
        key = 'batch_size'
        processes = 1
        if 'global_batch_size' in loader:
            key = 'global_batch_size'
            processes = int(os.environ.get('WORLD_SIZE') or 1)
        per_sample = _bytes_per_sample(cfg, phase)
        needed = loader.get(key, 1) / processes * per_sample
        if needed > memory:
            fits = int(memory / per_sample) * processes
            remedy = f'at most {fits} fit' if fits else 'not even one fits'
            raise ValueError(
                f'{phase}_dataloader.{key}={loader.get(key, 1)} images of '
                f'{_side(loader.dataset):g} pixels a side need '
                f'{needed / 2**30:.0f} GB or more, but the machine has '
                f'{memory / 2**30:.0f} GB: lower {key}, '
                f'{phase}_dataloader.dataset.size, or widths and blocks of '
                f'the model; {remedy}'
            )


def _bytes_per_sample(cfg: Config, phase: str) -> float:
    """Lower bound of a sample's memory, bytes."""
    side = _side(cfg[f'{phase}_dataloader'].get('dataset'))
    total = BYTES_PER_SAMPLE + side**2 * BYTES_PER_PIXEL
    if phase != 'train':
        return total
    model = cfg.get('model') or {}
    kinds = dict(LatentDiffusion='denoiser', FirstStage='autoencoder')
    trained = kinds.get(str(model.get('type')).removeprefix('mmldm.'))
    network = model.get(trained)
    numbers = _numbers_kept(network if isinstance(network, Mapping) else {})
    factor = 1
    if trained == 'denoiser':
        autoencoder = model.get('autoencoder')
        known = isinstance(autoencoder, Mapping)
        mults = autoencoder.get('channel_mults') if known else None
        # The largest reduction of the published first stages.
        factor = 2 ** (len(mults) - 1) if mults else 32
    return total + (side / factor) ** 2 * numbers * BYTES_PER_NUMBER


def _numbers_kept(network: Mapping[str, Any]) -> int:
    """Count of numbers kept for gradients, per pixel of the network."""
    counts = [network.get(key, 0) for key in ('channels', 'num_res_blocks')]
    if not all(isinstance(count, int) for count in counts):
        return 0
    # The factor 2 stands for the way down and the way up.
    return counts[0] * counts[1] * 2 * MAPS_PER_BLOCK


def _side(dataset: Any) -> float:
    """Geometric mean of the images' sides, pixels; 1 if unknown."""
    size = dataset.get('size') if isinstance(dataset, Mapping) else None
    sides = [size] * 2 if isinstance(size, int) else size
    if not isinstance(sides, list | tuple) or len(sides) != 2:
        return 1
    if not all(isinstance(side, int) and side > 0 for side in sides):
        return 1
    return (sides[0] * sides[1]) ** 0.5


def _largest_memory() -> int:
    """Memory of the machine or of its largest GPU, bytes."""
    gpus = [
        torch.cuda.get_device_properties(i).total_memory
        for i in range(torch.cuda.device_count())
    ]
    return max([total_memory(), *gpus])
