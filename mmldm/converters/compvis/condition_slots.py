"""How conditions of the original code enter its denoiser.

``DiffusionWrapper`` and ``LatentDiffusion.apply_model`` in
``ldm/models/diffusion/ddpm.py`` at github.com/CompVis/latent-diffusion
a506df5.
"""

import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

# Our slots by the original's conditioning_key; 'hybrid' fills both.
SLOTS = {
    'concat': ('spatial',),
    'crossattn': ('tokens',),
    'hybrid': ('spatial', 'tokens'),
}
# Keys of the denoiser with the number of channels in each slot.
KEYS = {'spatial': 'in_channels', 'tokens': 'context_dim'}
# Channels of grey and RGB images.
IMAGES = (1, 3)
# Its mask comes first and is 0 or 1, and holes are grey; MaskedImage has the
# mask last, -1 or 1, and black holes.
INPAINTING = (
    'it is Stable Diffusion for inpainting, whose mask and masked image have '
    'no counterpart: take only its first stage, by --only-first-stage and '
    'without the yaml file'
)


class Surroundings(NamedTuple):
    """Facts about a model that its condition must fit.

    Attributes:
        key: ``cond_stage_key``, the name of the condition in the data.
        latent_channels: Latent channels of the first stage.
        dims: Channels that the denoiser takes, by slot; None or 0 for none.
    """

    key: str
    latent_channels: int
    dims: Mapping[str, int | None]


class Reading(NamedTuple):
    """Our counterpart of a condition.

    Attributes:
        config: Config of our embedder.
        slot: Slot that the embedder fills.
        dim: Channels in that slot.
        scale: Guidance scale in the original's scripts; None if they use no
            guidance, or no null condition was trained.
    """

    config: dict[str, Any]
    slot: str
    dim: int
    scale: float | None = None


def condition_slots(original: Mapping[str, Any]) -> tuple[str, ...]:
    """The slots that the conditions of a model fill.

    Args:
        original: ``params`` of a ``LatentDiffusion`` of the original.

    Raises:
        ValueError: If the ``conditioning_key`` is not supported.
    """
    key = original.get('conditioning_key')
    if key is None:
        key = 'concat' if original.get('concat_mode', True) else 'crossattn'
    if key not in SLOTS:
        raise ValueError(
            f'params.conditioning_key={key!r} is not supported: only '
            f'{", ".join(map(repr, SLOTS))} are'
        )
    return SLOTS[key]


def given_condition(slot: str, around: Surroundings) -> Reading:
    """The second condition of a hybrid model, which no cond_stage makes.

    The original expects it as a finished tensor, ``c_concat`` or
    ``c_crossattn``, and its config has only the number of channels.

    Raises:
        ValueError: If the denoiser has no channels for it, or their number
            does not show what they are.
    """
    dim = around.dims[slot] or 0
    if dim < 1:
        raise ValueError(
            "params.conditioning_key='hybrid' fills spatial and tokens, but "
            f'params.unet_config.params.{KEYS[slot]} leaves {dim} channels '
            f'for {slot}: take the yaml file that the model was trained with'
        )
    if slot == 'tokens':
        return precomputed_features(dim)
    if dim in IMAGES:
        found, what = small_image(dim), 'a small image'
    elif dim == around.latent_channels + 1:
        found, what = masked_image(around), 'a masked latent and its mask'
    else:
        raise ValueError(
            "params.conditioning_key='hybrid' concatenates "
            f'{dim} channels that the config does not name: only 1 or 3 of a '
            f'small image, or {around.latent_channels + 1} of a masked '
            'latent and its mask are supported'
        )
    warnings.warn(
        f"the {dim} channels that conditioning_key='hybrid' concatenates are "
        f'taken for {what}, as the config does not name them: change '
        f'{found.config["type"]} in the written config if they are not',
        stacklevel=2,
    )
    return found


def precomputed_features(dim: int) -> Reading:
    """Features that are given as tokens."""
    return Reading(
        dict(type='PrecomputedFeatures', embed_dim=dim), 'tokens', dim
    )


def small_image(dim: int) -> Reading:
    """A small image, concatenated with the latent."""
    return Reading(dict(type='LowResolution', channels=dim), 'spatial', dim)


def masked_image(around: Surroundings) -> Reading:
    """Latent and mask of a masked image, as in scripts/inpaint.py."""
    channels = around.latent_channels
    return Reading(
        dict(type='MaskedImage', latent_channels=channels),
        'spatial',
        channels + 1,
    )


def check_slot(found: Reading, slots: Collection[str]) -> None:
    """Raise unless a model has the slot that its cond_stage fills."""
    if found.slot not in slots:
        raise ValueError(
            f'params.cond_stage_config yields {found.slot}, which does not '
            f'suit the conditioning_key, which asks for {", ".join(slots)}'
        )


def check_fits(readings: Sequence[Reading], around: Surroundings) -> None:
    """Raise unless the denoiser fits all conditions."""
    filled = {found.slot: found.dim for found in readings}
    for slot, key in KEYS.items():
        takes, yields = around.dims[slot] or 0, filled.get(slot, 0)
        if takes != yields:
            raise ValueError(
                f'params.unet_config.params.{key} leaves {takes} channels '
                f'for {slot}, but params.cond_stage_config yields {yields}: '
                'take the yaml file that the model was trained with'
            )
