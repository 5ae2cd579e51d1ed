"""Training from latents that were computed beforehand."""

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.utils.data import Dataset

from mmldm.utils.checkpoint import as_hex


def read_from_cache(loader: dict[str, Any], cfg: Mapping[str, Any]) -> None:
    """Let a data loader read the cache that ``latent_cache`` names.

    Args:
        loader: Config of the training's data loader, changed in place.
        cfg: The whole config.
    """
    root = cfg.get('latent_cache')
    if root is not None:
        dataset = loader['dataset']
        loader['dataset'] = dict(
            type='mmldm.CachedLatents', root=root, dataset=dataset
        )


def check_cache(dataset: Dataset, model: nn.Module) -> None:
    """Raise unless cached latents are those of the model's first stage.

    Args:
        dataset: The training data set; one without ``first_stage``, which
            has images, is not checked.
        model: The editor that is trained.

    Raises:
        ValueError: If the model trains a first stage, or has another one.
    """
    cached = getattr(dataset, 'first_stage', None)
    if cached is None:
        return
    if not hasattr(model, 'frozen_weights'):
        raise ValueError(
            f'latent_cache is set, but a {type(model).__name__} needs images: '
            'remove latent_cache'
        )
    own = first_stage_hash(model)
    if own != cached:
        raise ValueError(
            f'latent_cache={dataset.root} was made by a first stage with '
            f'SHA-256 {cached[:12]}..., but that of the model has '
            f'{own[:12]}...: make the cache anew by tools/cache_latents.py, '
            'or set model.autoencoder_checkpoint to the file of that first '
            'stage'
        )


def first_stage_hash(model: nn.Module) -> str:
    """The hash of a frozen first stage's weights, hexadecimal."""
    digest = model.part_hash
    if digest is None:
        digest = model.hash_part(model.frozen_weights())
    return as_hex(digest)
