"""Check that the frozen parts of a model have trained weights."""

from torch import nn

from mmldm.models.editors import FirstStage
from mmldm.utils.frozen_part import FrozenPart


def check_frozen_parts(model: nn.Module) -> None:
    """Raise if a frozen part still has its initial weights.

    Args:
        model: The model, without a checkpoint loaded.

    Raises:
        ValueError: Names the key that gives the part its weights.
    """
    if getattr(model, 'adapter', None) is not None:
        return  # all weights come from adapter.base
    if isinstance(model, FirstStage) and model.keeps_encoder:
        raise ValueError(
            "load_from is missing: model.trained='decoder' keeps the encoder, "
            'but its weights are not trained: set load_from to the first '
            'stage, or to a model that contains it'
        )
    for name, module in model.named_modules():
        if not isinstance(module, FrozenPart) or module.part_hash is not None:
            continue
        part = getattr(module, module.part)
        # A part that is one of these too is checked by its own key.
        if isinstance(part, FrozenPart) or not [*part.parameters()]:
            continue
        own = [name] if name else []
        key = '.'.join(['model', *own, module.files[0]])
        raise ValueError(
            f'{key} is missing: the {module.part} of '
            f'{type(module).__name__} is frozen, but its weights are not '
            f'trained: set {key} to its file or folder, or load_from to a '
            'checkpoint of the whole model'
        )
