"""Measurements of a first stage, and of a diffusion model in its latents."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor
from torch.nn.functional import cosine_similarity

from mmldm.evaluation.feature_sets import FeatureSet, compare_sets
from mmldm.evaluation.reconstruction import psnr
from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
from mmldm.models.feature_networks import FeatureNetwork
from mmldm.registry import DATASETS
from mmldm.utils.pixels import to_unit_range
from mmldm.visualization.grid import spread

from ..inference import LatentDiffusionInferencer
from ..judging import measure_images
from ..models import init_model
from ..training_logs import read_log

BATCH = 8
# Images of the pictures of a report.
SHOWN = 8


def images_of(cfg: Config, split: str, most: int) -> list[Tensor]:
    """Images of a first stage's data, uint8 (3, H, W), cropped to squares.

    Args:
        cfg: Config of the first stage's training.
        split: 'train', 'val' or 'all'.
        most: Largest number of images, which are spread over the data.

    Raises:
        ValueError: If there are fewer than two.
    """
    config = {**cfg.val_dataloader.dataset.to_dict(), 'split': split}
    dataset = DATASETS.build(config)
    places = sorted(spread(range(len(dataset)), most))
    if len(places) < 2:
        raise ValueError(
            f'{config["data_root"]} has {len(places)} images in the split '
            f'{split!r}, expected 2 or more: give a folder with more images'
        )
    return [dataset[i]['inputs'] for i in places]


def measure_stage(
    source: Path, images: Sequence[Tensor], network: FeatureNetwork
) -> tuple[dict[str, float], list[Tensor]]:
    """Measure a first stage on images that it has not seen.

    Args:
        source: See :func:`mmldm.apis.init_model`.
        images: uint8 (3, H, W), all of one size.
        network: Network of the features.

    Returns:
        ``factor``, ``channels``, ``values`` of the latents of an image,
        their ``rate`` (values over those of the pixels), ``psnr`` (dB),
        ``feature_distance`` (mean of 1 - cosine between the features of an
        image and of its reconstruction), ``rfid`` (Frechet distance between
        the features of both sets), ``encode_ms`` and ``decode_ms`` of an
        image; and the reconstructions.
    """
    model = init_model(source)
    autoencoder = model.autoencoder.eval()
    device = next(autoencoder.parameters()).device
    latents, seconds = _timed(
        lambda x: autoencoder.encode(to_unit_range(x)), images, device
    )
    size = images[0].shape[1:]
    decoded, others = _timed(
        lambda z: autoencoder.decode(z, size), latents, device
    )
    found = [to_images(image) for image in decoded]
    one, two = (
        measure_images(some, network, ['kid', 'fd'], what)
        for some, what in ((images, 'images'), (found, 'reconstructions'))
    )
    values = latents[0].numel()
    return dict(
        factor=autoencoder.factor,
        channels=autoencoder.latent_channels,
        values=values,
        rate=values / images[0].numel(),
        psnr=float(np.mean([*map(psnr, found, images)])),
        feature_distance=_feature_distance(one, two),
        rfid=compare_sets(two, one, ['fd'])['fd'],
        encode_ms=1e3 * seconds,
        decode_ms=1e3 * others,
    ), found


def _timed(
    call: Callable[[Tensor], Tensor],
    inputs: Sequence[Tensor],
    device: torch.device,
) -> tuple[list[Tensor], float]:
    """The outputs for all inputs, and the median seconds for one of them."""
    outputs, seconds = [], []
    for start in range(0, len(inputs), BATCH):
        batch = torch.stack([*inputs[start : start + BATCH]]).to(device)
        begin = time.perf_counter()
        with torch.inference_mode():
            output = call(batch).float().cpu()  # waits for a GPU
        seconds.append((time.perf_counter() - begin) / len(batch))
        outputs += output
    # The first batch prepares the network.
    return outputs, median(seconds[1:] or seconds)


def _feature_distance(one: FeatureSet, two: FeatureSet) -> float:
    return float(1 - cosine_similarity(one.features, two.features).mean())


def measure_ldm(
    work_dir: Path,
    num_samples: int,
    real: FeatureSet,
    network: FeatureNetwork,
) -> tuple[dict[str, Any], list[Tensor]]:
    """Measure the diffusion model in the latents of a first stage.

    Args:
        work_dir: Its work directory.
        num_samples: Number of images to generate.
        real: Features of the images that it should resemble.
        network: Network of the features.

    Returns:
        ``validation_loss``, and ``sample_distance`` (Frechet distance between
        the features of samples and images); and the samples.
    """
    pictures = LatentDiffusionInferencer(work_dir)(num=num_samples)
    samples = [
        torch.from_numpy(np.array(picture)).permute(2, 0, 1)
        for picture in pictures
    ]
    found = measure_images(samples, network, ['fd'], 'samples')
    loss = read_log(work_dir).points('val/loss')[-1][1]
    return dict(
        validation_loss=loss,
        sample_distance=compare_sets(found, real, ['fd'])['fd'],
    ), samples
