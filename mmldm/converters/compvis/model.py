"""Whole models of the original code of Rombach et al. 2022.

``ldm/models/diffusion/ddpm.py`` and ``ldm/models/autoencoder.py`` as ours,
without their weights; names and defaults are those of
github.com/CompVis/latent-diffusion at a506df5.
"""

from collections.abc import Mapping
from typing import Any

from mmldm.utils import check_count

from ..editors import first_stage_editor
from .conditioner import conditioner_config
from .denoiser import denoiser_config
from .first_stage import TARGETS, first_stage_config
from .params import check_kinds, check_required, check_rest, within
from .process import DEFAULTS, diffusion_scheduler_config

DIFFUSION_TARGETS = (
    'ldm.models.diffusion.ddpm.LatentDiffusion',
    'ldm.models.diffusion.ddpm.Layout2ImgDiffusion',
)
REQUIRED = ('first_stage_config', 'cond_stage_config', 'unet_config')
# What is read, here or elsewhere.
READ = {
    *REQUIRED,
    *DEFAULTS,
    'concat_mode',
    'cond_stage_key',
    'conditioning_key',
    'image_size',
    'learn_logvar',
    'logvar_init',
    'scale_by_std',
    'scale_factor',
}
# The one value that our models have.
FIXED = {
    'cond_stage_forward': None,
    'num_timesteps_cond': 1,
    'use_positional_encodings': False,
}
# For training and logs, said by another key too, or without effect on
# latents.
IGNORED = {
    'channels',
    'ckpt_path',
    'clip_denoised',
    'cond_stage_trainable',
    'first_stage_key',
    'ignore_keys',
    'load_only_unet',
    'log_every_t',
    'monitor',
    'scheduler_config',
    'use_ema',
    'v_posterior',
}


def model_config(original: Mapping[str, Any]) -> dict[str, Any]:
    """The editor's config that a config of the original describes.

    Args:
        original: ``target`` and ``params``, as under ``model`` in a yaml
            file of the original.

    Raises:
        ValueError: If it is neither a first stage nor a latent diffusion
            model, a key is missing or not known, or a value asks for what
            our models have not.
    """
    check_kinds(original)
    target = original.get('target')
    if target in TARGETS:
        return first_stage_editor(first_stage_config(original))
    if target not in DIFFUSION_TARGETS:
        raise ValueError(
            f'target={target!r} cannot be converted; these can: '
            f'{", ".join((*DIFFUSION_TARGETS, *TARGETS))}'
        )
    params = dict(original.get('params') or {})
    check_required(params, REQUIRED)
    check_rest(
        {k: v for k, v in params.items() if k not in READ}, FIXED, IGNORED
    )
    with within('first_stage_config'):
        autoencoder = first_stage_config(params['first_stage_config'])
    with within('unet_config'):
        denoiser = denoiser_config(params['unet_config'])
    conditioner, guidance = conditioner_config(
        params, autoencoder.get('latent_channels', 3), denoiser
    )
    scale = params.get('scale_factor', 1.0)
    if scale != 1:
        autoencoder['latent_scale'] = scale
    return dict(
        type='LatentDiffusion',
        autoencoder=autoencoder,
        denoiser=denoiser,
        conditioner=conditioner,
        diffusion_scheduler=diffusion_scheduler_config(params),
        guidance=guidance,
        image_size=_pixels(params.get('image_size', 256), autoencoder),
        **_log_variance(params),
    )


def _log_variance(params: Mapping[str, Any]) -> dict[str, Any]:
    """What weighs time steps, where they are weighed."""
    init = params.get('logvar_init', 0.0)
    if params.get('learn_logvar', False):
        return dict(log_variance=dict(type='LearnedLogVariance', init=init))
    if init != 0:
        raise ValueError(
            f'params.logvar_init={init} without learn_logvar is not '
            'supported: it scales the loss of all time steps, as another '
            'learning rate does'
        )
    return {}


def _pixels(latent_size: int, autoencoder: Mapping[str, Any]) -> int:
    """Side of the images whose latents have this one."""
    check_count('params.image_size', latent_size)
    return latent_size * 2 ** (len(autoencoder.get('channel_mults', [1])) - 1)
