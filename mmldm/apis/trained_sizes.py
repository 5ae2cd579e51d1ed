"""The sizes that a model was trained at, if there are several."""

import warnings
from collections.abc import Mapping
from typing import Any

from mmldm.models.editors import LatentDiffusion
from mmldm.utils.image_size import size_text


def trained_sizes(checkpoint: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Height and width of the images of a training, [] if all had one size.

    Args:
        checkpoint: Content of a training checkpoint, or weights.
    """
    meta = checkpoint.get('meta')
    counts = meta.get('size_counts') if isinstance(meta, Mapping) else None
    return [tuple(count[:2]) for count in counts or ()]


def sizes_text(model: LatentDiffusion) -> str:
    """All sizes that a model was trained at, as a text."""
    return ', '.join(map(size_text, model.trained_sizes))


def warn_of_untrained_size(
    model: LatentDiffusion, size: tuple[int, int]
) -> None:
    """Warn if a model of several sizes was not trained at this one."""
    if model.trained_sizes and size not in model.trained_sizes:
        warnings.warn(
            f'size={size_text(size)} (height x width) is none of those that '
            f'the model was trained at: {sizes_text(model)}',
            stacklevel=4,
        )
