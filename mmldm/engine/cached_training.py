"""Training from latents that were computed beforehand."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.logging import print_log
from torch import nn
from torch.utils.data import Dataset

from mmldm.models.conditioners.frozen_contents import frozen_embedders
from mmldm.utils.checkpoint import as_hex
from mmldm.utils.frozen_part import FrozenPart
from mmldm.utils.released_part import release_part, restore_part


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


class CachedTraining:
    """The parts of a model that a training from cached latents does not need.

    The first stage and frozen embedders leave the memory until something
    calls them, such as a validation that decodes images. The first stage
    stays if a term of the loss decodes.

    Args:
        dataset: The training data set; one without ``first_stage``, which
            has images, changes nothing.
        model: The editor that is trained, with its weights.

    Raises:
        ValueError: If the cache is not that of the model.
    """

    def __init__(self, dataset: Dataset, model: nn.Module) -> None:
        self.model = model
        self.cached = getattr(dataset, 'first_stage', None) is not None
        self.embedders: list[nn.Module] = []
        if self.cached:
            check_first_stage(dataset, model)
            self.embedders = [*_use_embedded(dataset, model)]

    def release(self) -> None:
        """Free the weights of parts that training does not use."""
        freed = {type(p).__name__: release_part(p) for p in self._parts()}
        freed = {name: size for name, size in freed.items() if size}
        if freed:
            sizes = [f'{n} {b / 2**20:.0f} MB' for n, b in freed.items()]
            print_log(
                'training reads cached latents, and these frozen weights '
                f'leave the memory until they are used: {", ".join(sizes)}',
                'current',
            )

    def restore(self) -> None:
        """Read the weights again."""
        for part in self._parts():
            restore_part(part)

    def _parts(self) -> Iterator[FrozenPart]:
        losses = getattr(self.model, 'extra_losses', ())
        if self.cached and not any(loss.decodes for loss in losses):
            yield self.model
        for embedder in self.embedders:
            if isinstance(embedder, FrozenPart):
                yield embedder


def check_first_stage(dataset: Dataset, model: nn.Module) -> None:
    """Raise unless cached latents are those of the model's first stage.

    Args:
        dataset: A data set with ``first_stage``.
        model: The editor that is trained.

    Raises:
        ValueError: If the model trains a first stage, or has another one.
    """
    cached = dataset.first_stage
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


def _use_embedded(dataset: Dataset, model: nn.Module) -> Iterator[nn.Module]:
    """Let frozen embedders of a model use the contents of a cache.

    Yields:
        The embedders whose networks training does not need.

    Raises:
        ValueError: If the cache was made by another embedder.
    """
    if not dataset.embedders or not hasattr(model, 'conditioner'):
        return
    nulls = dataset.nulls()
    for place, embedder in frozen_embedders(model.conditioner):
        cached = dataset.embedders.get(str(place))
        if cached is None:
            continue
        own = embedder.identity()
        if own != cached:
            key = next(k for k in cached if own.get(k) != cached[k])
            raise ValueError(
                f'latent_cache={dataset.root} was made with a '
                f'{cached["type"]} whose {key} is {cached[key]!r:.80}, but '
                f'that of model.conditioner.embedders.{place} is '
                f'{own.get(key)!r:.80}: make the cache anew by '
                'tools/cache_latents.py'
            )
        embedder.null_content = {
            name: value
            for name, value in nulls.items()
            if name.startswith(f'{place}.')
        }
        yield embedder


def first_stage_hash(model: nn.Module) -> str:
    """The hash of a frozen first stage's weights, hexadecimal."""
    digest = model.part_hash
    if digest is None:
        digest = model.hash_part(model.frozen_weights())
    return as_hex(digest)
