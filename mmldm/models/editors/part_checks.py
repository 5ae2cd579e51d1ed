"""Checks that the parts of a model fit each other."""

import warnings

from torch import Tensor, nn

from mmldm.diffusion import Windows
from mmldm.diffusion.guidance import Guidance
from mmldm.structures import Condition
from mmldm.utils.image_size import Size, check_size, height_and_width
from mmldm.utils.typing import SampleList

from ..autoencoders import Autoencoder
from ..conditioners import Conditioner
from ..denoisers import Denoiser


def check_parts(model: nn.Module) -> None:
    """Raise if networks of a model do not fit each other.

    Args:
        model: A ``LatentDiffusion``.

    Raises:
        ValueError: If not, with the key in the model's config and the remedy.
    """
    if model.image_size is not None:
        check_size('model.image_size', model.image_size)
    networks = {'denoiser': model}
    if model.guide is not None:
        networks['guide'] = model.guide
    for name, part in networks.items():
        check_denoiser(
            name, part.denoiser, part.conditioner, model.autoencoder
        )
        num_outputs = model.diffusion_scheduler.num_outputs
        check_outputs(name, part.denoiser, model.autoencoder, num_outputs)
        if model.image_size is not None:
            key, factor = 'model.image_size', model.autoencoder.factor
            check_sides(key, model.image_size, name, part.denoiser, factor)
        if isinstance(model.windows, Windows):
            key, size = 'model.windows.size', model.windows.size
            check_sides(key, size, name, part.denoiser)


def check_denoiser(
    name: str,
    denoiser: Denoiser,
    conditioner: Conditioner,
    autoencoder: Autoencoder,
) -> None:
    """Raise unless a denoiser fits the conditioner and the autoencoder.

    Args:
        name: Key of the denoiser in the model's config.
        denoiser: The network.
        conditioner: The conditioner of the model.
        autoencoder: The first stage of the model.

    Raises:
        ValueError: If it does not fit, with the value that would.
    """
    if not isinstance(denoiser, Denoiser):
        raise ValueError(
            f'{name}.type={type(denoiser).__name__} is no denoiser: derive it '
            'from mmldm.models.denoisers.Denoiser'
        )
    latent = autoencoder.latent_channels
    spatial = conditioner.dim('spatial') or 0
    fits = {
        'in_channels': (
            latent + spatial,
            f'the autoencoder yields {latent} latent channels and the '
            f'conditioner concatenates {spatial}',
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
    """Raise if a model lacks what its guidance needs.

    Args:
        guidance: How conditions act in sampling.
        conditioner: The conditioner of the model.
        has_guide: Whether the model has a guide.

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
    """Warn if guidance needs a null condition that is never trained.

    Returns:
        Whether the warning was given.
    """
    untrained = conditioner.never_dropped(guidance.left_out(conditioner.slots))
    if untrained:
        warnings.warn(
            f'{type(guidance).__name__} needs a null condition of '
            f'{" and ".join(untrained)}, which is not trained with '
            f'conditioner.drop_prob={conditioner.drop_prob}: train with '
            '0.1 instead of 0',
            stacklevel=3,
        )
    return bool(untrained)


def check_outputs(
    name: str, denoiser: Denoiser, autoencoder: Autoencoder, num_outputs: int
) -> None:
    """Raise unless a denoiser has the number of outputs that is needed.

    Args:
        name: Key of the denoiser in the model's config.
        denoiser: The network.
        autoencoder: The first stage of the model.
        num_outputs: Outputs for each latent channel.

    Raises:
        ValueError: If the number differs, with the value that fits.
    """
    latent, key = autoencoder.latent_channels, f'{name}.out_channels'
    found, needed = denoiser.out_channels, num_outputs * latent
    if found == needed:
        return
    cause, other = '', ''
    if num_outputs == 2:
        cause = ' and each needs a variance'
    elif found == 2 * latent:
        other = (
            ', or, if it predicts variances, diffusion_scheduler.variance='
            "dict(type='LearnedVariance')"
        )
    raise ValueError(
        f'{key}={found}, but the autoencoder yields {latent} latent channels'
        f'{cause}: set {key}={needed}{other}'
    )


def check_sides(
    key: str, size: Size, name: str, denoiser: Denoiser, factor: int = 1
) -> None:
    """Raise unless the denoiser's patches divide latents of a given size.

    Args:
        key: Key of the size in the config.
        size: Side of a square, or height and width.
        name: Key of the denoiser in the model's config.
        denoiser: The network.
        factor: Units of ``size`` per latent position.

    Raises:
        ValueError: If a side of the latents is no multiple of the patches.
    """
    sides = [-(-side // factor) for side in height_and_width(size)]
    patch_size = denoiser.patch_size
    if any(side % patch_size for side in sides):
        raise ValueError(
            f'{key}={size} makes latents of {sides[0]}x{sides[1]}, which '
            f'{name}.patch_size={patch_size} does not divide: set {key} to a '
            f'multiple of {factor * patch_size}'
        )


def check_spatial(
    cond: Condition, z: Tensor, data_samples: SampleList
) -> None:
    """Raise unless a spatial condition is as large as the latents.

    Args:
        cond: Condition of a batch.
        z: Latents of the batch, (B, C, h, w).
        data_samples: Data samples of the batch.

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
        f'its latent is {wanted}: give a condition that fits the image size'
    )


def generated_size(
    data_samples: SampleList, usual: Size | None
) -> tuple[int, int]:
    """Height and width of the images to generate for a batch, pixels.

    Args:
        data_samples: Either all or none have an ``img_shape``.
        usual: Size for samples without ``img_shape``; None if there is none.

    Raises:
        ValueError: If sizes are missing or differ.
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
