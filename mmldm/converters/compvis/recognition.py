"""Weights without a config file, recognised by their names and shapes.

The numbers that shapes do not show are those of the configs of
github.com/CompVis/stable-diffusion at 21f890f and
github.com/Stability-AI/stablediffusion at cf1d67a.
"""

from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log
from torch import Tensor

from mmldm.utils.checkpoint import few

from ..key_mapping import part_of
from .checkpoint import PARTS
from .first_stage_aliases import first_stage_part
from .first_stage_shapes import first_stage_of
from .model import DIFFUSION_TARGETS
from .open_clip import is_open_clip
from .params import MODULES
from .strangers import ONLY_FIRST_STAGE, check_known
from .text_shapes import clip_start, text_network
from .unet_shapes import FIRST as UNET
from .unet_shapes import unet_of

UNET_START, STAGE_START, TEXT_START = (
    PARTS[name].start for name in ('denoiser', 'autoencoder', 'conditioner')
)
# Channels that other models of the family concatenate with 4 latent channels.
OTHERS = {
    5: 'for depth maps',
    7: 'of the 4x upscaler',
    8: 'of InstructPix2Pix',
    9: 'for inpainting',
}
# Heads of the UNets of both versions.
HEADS = dict(num_heads=8), dict(num_head_channels=64)
OTHER_MODEL = (
    'give the yaml file of the model before the checkpoint, or take only its '
    'first stage by --only-first-stage'
)
STABLE = dict(
    linear_start=0.00085,
    linear_end=0.012,
    timesteps=1000,
    cond_stage_key='txt',
    conditioning_key='crossattn',
    scale_factor=0.18215,
)


def recognised(
    weights: Mapping[str, Tensor], prediction: str | None = None
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The original's config of a model, and its weights by its names.

    Args:
        weights: A first stage, or Stable Diffusion 1 or 2.
        prediction: What Stable Diffusion predicts, 'eps' or 'v'; None for
            'eps' in version 1. Weights of version 2 do not show it.

    Raises:
        ValueError: If it is another model; says which, and the remedy.
    """
    try:
        if UNET_START + UNET in weights:
            return _stable_diffusion(weights, prediction)
        check_known(weights)
        if unknown := [n for n in weights if n.startswith(UNET_START)]:
            raise ValueError(
                f'its denoiser ({few(unknown)}) is not that of Stable '
                f'Diffusion 1 or 2: {OTHER_MODEL}'
            )
        stage = first_stage_part(weights)
        return first_stage_of(stage), stage
    except (LookupError, TypeError, ZeroDivisionError) as error:
        raise ValueError(
            'its weights have the names of a known model, but one is missing '
            f'or has another shape ({error}): give the yaml file that the '
            'model was trained with, before the checkpoint'
        ) from error


def _stable_diffusion(
    weights: Mapping[str, Tensor], prediction: str | None
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config of Stable Diffusion 1 or 2, and its weights."""
    text, unet, stage = (
        part_of(weights, start)
        for start in (TEXT_START, UNET_START, STAGE_START)
    )
    _check_unet(unet)
    second = is_open_clip(text)
    if not second and clip_start(text) is None:
        raise ValueError(
            'it has a denoiser, but not the text encoder of Stable Diffusion '
            f'1 or 2 ({TEXT_START}*): give the checkpoint of the whole model, '
            'or the yaml file of another model before it'
        )
    if not stage:
        raise ValueError(PARTS['autoencoder'].missing)
    prediction = prediction or _prediction(second)
    print_log(
        f'Recognised as Stable Diffusion {1 + second} that predicts '
        f'{"v" if prediction == "v" else "the noise (eps)"}',
        logger='current',
    )
    stage = first_stage_part(stage)
    params = dict(
        **STABLE,
        image_size=96 if second and prediction == 'v' else 64,
        parameterization=prediction,
        first_stage_config=first_stage_of(stage),
        cond_stage_config=_text(text, second),
        unet_config=unet_of(unet, HEADS[second]),
    )
    others = {
        n: w for n, w in weights.items() if not n.startswith(STAGE_START)
    }
    named = {STAGE_START + name: weight for name, weight in stage.items()}
    return dict(target=DIFFUSION_TARGETS[0], params=params), others | named


def _check_unet(unet: Mapping[str, Tensor]) -> None:
    """Raise if the UNet is not that of a text-to-image model."""
    channels = unet[UNET].shape[1]
    if channels != 4 or any(name.startswith('label_emb.') for name in unet):
        what = OTHERS.get(channels, 'with more conditions than a text')
        # No yaml file helps with those.
        remedy = ONLY_FIRST_STAGE if channels in OTHERS else OTHER_MODEL
        raise ValueError(
            f'its denoiser takes {channels} channels, as models {what} do: '
            'without a yaml file only text-to-image models of Stable '
            f'Diffusion 1 and 2 are known: {remedy}'
        )


def _prediction(second: bool) -> str:
    """The prediction of Stable Diffusion 1.

    Raises:
        ValueError: For version 2, which exists with both predictions.
    """
    if second:
        raise ValueError(
            'it is Stable Diffusion 2, whose weights do not show what they '
            'predict: give --prediction v for models of 768 pixels, or '
            '--prediction eps for the base models of 512 pixels'
        )
    return 'eps'


def _text(weights: Mapping[str, Tensor], second: bool) -> dict[str, Any]:
    """``cond_stage_config`` of a text encoder."""
    if not second:
        return dict(
            target=f'{MODULES}FrozenCLIPEmbedder',
            params=dict(network=text_network(weights)),
        )
    return dict(
        target=f'{MODULES}FrozenOpenCLIPEmbedder',
        params=dict(network=text_network(weights), layer='penultimate'),
    )
