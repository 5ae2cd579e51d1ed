"""Whole models of the original code of Rombach et al. 2022.

Converts ``ldm/models/diffusion/ddpm.py`` and ``ldm/models/autoencoder.py``
without their weights; names and defaults are those of
github.com/CompVis/latent-diffusion at a506df5.
"""

from collections.abc import Mapping
from typing import Any

from ..editors import first_stage_editor
from ..key_table import Given, Key, KeyTable, fixed, ignored
from ..kinds import BOOL, COUNT, DICT, NUMBER, POSITIVE, WORD, either
from .condition_slots import INPAINTING
from .conditioner import conditioner_config
from .denoiser import denoiser_config
from .first_stage import TARGETS, first_stage_config
from .params import PARAMS, REMEDY, target_and_params, within
from .process import PROCESS, diffusion_scheduler_config

DIFFUSION_TARGETS = (
    'ldm.models.diffusion.ddpm.LatentDiffusion',
    'ldm.models.diffusion.ddpm.Layout2ImgDiffusion',
)
INPAINTING_TARGET = 'ldm.models.diffusion.ddpm.LatentInpaintDiffusion'
TABLE = KeyTable(
    Key('first_stage_config', kind=DICT),
    Key('cond_stage_config'),
    Key('unet_config', kind=DICT),
    Key('image_size', kind=COUNT, default=256),
    Key('concat_mode', kind=BOOL, default=True),
    Key('cond_stage_key', default='image'),
    Key('conditioning_key', kind=either(WORD, None), default=None),
    Key('learn_logvar', kind=BOOL, default=False),
    Key('logvar_init', kind=NUMBER, default=0.0),
    Key('scale_by_std', kind=BOOL, default=False),
    Key('scale_factor', kind=POSITIVE, default=1.0),
    *PROCESS,
    *fixed(
        {
            'cond_stage_forward': None,
            'num_timesteps_cond': 1,
            'use_positional_encodings': False,
        }
    ),
    # Keys for training and logs, or that repeat another key, or have no
    # effect on latents.
    *ignored(
        'channels ckpt_path clip_denoised cond_stage_trainable '
        'first_stage_key ignore_keys load_only_unet log_every_t monitor '
        'scheduler_config use_ema v_posterior'
    ),
    remedy=REMEDY,
)


def model_config(original: Mapping[str, Any]) -> dict[str, Any]:
    """The config of our editor for a config of the original.

    Args:
        original: ``target`` and ``params``, as under ``model`` in a yaml
            file of the original.

    Raises:
        ValueError: If it is neither a first stage nor a latent diffusion
            model, a key is missing or unknown, or a value has no counterpart
            in our models.
    """
    if original.get('target') == INPAINTING_TARGET:
        raise ValueError(INPAINTING)
    target, params = target_and_params(
        original, (*DIFFUSION_TARGETS, *TARGETS)
    )
    if target in TARGETS:
        return first_stage_editor(first_stage_config(original))
    given = TABLE.read(PARAMS, params)
    with within('first_stage_config'):
        autoencoder = first_stage_config(given['first_stage_config'])
    with within('unet_config'):
        denoiser = denoiser_config(given['unet_config'])
    conditioner, guidance = conditioner_config(
        given, autoencoder.get('latent_channels', 3), denoiser
    )
    if given['scale_factor'] != 1:
        autoencoder['latent_scale'] = given['scale_factor']
    factor = 2 ** (len(autoencoder.get('channel_mults', [1])) - 1)
    return dict(
        type='LatentDiffusion',
        autoencoder=autoencoder,
        denoiser=denoiser,
        conditioner=conditioner,
        diffusion_scheduler=diffusion_scheduler_config(params),
        guidance=guidance,
        image_size=given['image_size'] * factor,
        **_log_variance(given),
    )


def _log_variance(given: Given) -> dict[str, Any]:
    """Config of learned weights of time steps, if there are any."""
    init = given['logvar_init']
    if given['learn_logvar']:
        return dict(log_variance=dict(type='LearnedLogVariance', init=init))
    if init != 0:
        raise given.refusal(
            'logvar_init',
            'without learn_logvar is not supported: it scales the loss of '
            'all time steps, as another learning rate does',
        )
    return {}
