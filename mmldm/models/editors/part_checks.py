"""Whether the parts of a model fit each other."""

import warnings

from torch import Tensor, nn

from mmldm.diffusion.guidance import Guidance
from mmldm.structures import Condition
from mmldm.utils.image_size import Size, height_and_width
from mmldm.utils.typing import SampleList

from ..autoencoders import Autoencoder
from ..conditioners import Conditioner


def check_denoiser(
    name: str,
    denoiser: nn.Module,
    conditioner: Conditioner,
    autoencoder: Autoencoder,
) -> None:
    """Raise unless a denoiser takes and gives what the others do.

    Args:
        name: Of the denoiser in the model's config.
        denoiser: The network.
        conditioner: Makes the conditions that it is told.
        autoencoder: Makes the latents.

    Raises:
        ValueError: If not, with the value that would.
    """
    latent = autoencoder.latent_channels
    spatial = conditioner.dim('spatial') or 0
    fits = {
        'in_channels': (
            latent + spatial,
            f'the autoencoder yields {latent} latent channels and the '
            f'conditioner concatenates {spatial}',
        ),
        'out_channels': (
            latent,
            f'the autoencoder yields {latent} latent channels',
        ),
    }
    for key, slot in (('context_dim', 'tokens'), ('vector_dim', 'vector')):
        dim = conditioner.dim(slot)
        fits[key] = (dim, f'the conditioner yields {slot} of dimension {dim}')
    for key, (needed, cause) in fits.items():
        value = getattr(denoiser, key)
        if value != needed:
            raise ValueError(
                f'{name}.{key}={value}, but {cause}: set {name}.{key}={needed}'
            )


def check_guidance(
    guidance: Guidance, conditioner: Conditioner, has_guide: bool
) -> None:
    """Raise unless a model has what its guidance needs.

    Args:
        guidance: How conditions act in sampling.
        conditioner: Makes the conditions.
        has_guide: Whether there is a weaker model beside.

    Raises:
        ValueError: If a slot, a guide or a null condition is missing.
    """
    guidance.check(conditioner.slots, has_guide)
    without_null = conditioner.without_null
    if guidance.needs_null and without_null:
        raise ValueError(
            f'guidance is {type(guidance).__name__}, which leads away from a '
            f'null condition, but {" and ".join(without_null)} of the '
            'conditioner has none: set guidance=dict(_delete_=True, '
            "type='NoGuidance')"
        )


def warn_of_untrained_null(
    guidance: Guidance, conditioner: Conditioner
) -> bool:
    """Warn if guidance needs a null condition that training never shows.

    Returns:
        Whether it does.
    """
    untrained = conditioner.never_dropped(guidance.left_out(conditioner.slots))
    if untrained:
        warnings.warn(
            f'{type(guidance).__name__} needs a null condition of '
            f'{" and ".join(untrained)}, which is not trained with '
            f'conditioner.drop_prob={conditioner.drop_prob}: train with '
            '0.1 in the place of 0',
            stacklevel=3,
        )
    return bool(untrained)


def check_spatial(
    cond: Condition, z: Tensor, data_samples: SampleList
) -> None:
    """Raise unless a spatial condition is as large as the latents.

    Args:
        cond: Of a batch.
        z: Its latents, (B, C, h, w).
        data_samples: What both were made for.

    Raises:
        ValueError: If height or width differ.
    """
    if cond.spatial is None or cond.spatial.shape[2:] == z.shape[2:]:
        return
    found, wanted = (
        'x'.join(map(str, x.shape[2:])) for x in (cond.spatial, z)
    )
    raise ValueError(
        f'the spatial condition of {data_samples[0].name} is {found}, but '
        f'its latent is {wanted}: give a condition for the size of the image'
    )


def drawn_size(
    data_samples: SampleList, usual: Size | None
) -> tuple[int, int]:
    """Height and width of the images that a batch asks for, pixels.

    Args:
        data_samples: With an ``img_shape`` each, or none.
        usual: What is drawn where none is said; None for no such.

    Raises:
        ValueError: If they are not given, or differ.
    """
    default = () if usual is None else height_and_width(usual)
    sizes = {
        tuple(sample.get('img_shape', default))[:2] for sample in data_samples
    }
    if len(sizes) != 1 or () in sizes:
        raise ValueError(
            f'a batch asks for images of sizes {sorted(sizes)}: give all its '
            'data samples one img_shape, (H, W), or the model its image_size'
        )
    return sizes.pop()
