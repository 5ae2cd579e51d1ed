"""Files of weights that are no model of latent diffusion, and the remedy."""

import re
from collections.abc import Mapping

from torch import Tensor

from mmldm.utils.checkpoint import few

DIFFUSERS = (
    'give the folder of diffusers that it comes from, with its config.json, '
    'to tools/model_converters/diffusers_to_mmldm.py'
)
ONLY_FIRST_STAGE = 'take only its first stage by --only-first-stage'
# A pattern of names, what a file with such a name is, and the remedy.
STRANGERS = (
    (
        r'lora_(unet|te)|.*\.lora_([AB]|up|down)\.',
        'a LoRA adapter',
        'convert the model that it adapts',
    ),
    (
        r'(.*\.)?control_model\.|controlnet_',
        'a ControlNet',
        'ControlNets are not supported; convert the model that it controls',
    ),
    (
        r'emb_params|string_to_param|clip_[lg]$|<.+>$',
        'a textual inversion',
        'convert the model that it was made for',
    ),
    (
        r'conditioner\.embedders\.\d+\.(model|transformer)\.',
        'Stable Diffusion XL, whose two text encoders have no counterpart',
        ONLY_FIRST_STAGE,
    ),
    (
        r'(model\.diffusion_model\.)?(joint_blocks|double_blocks)\.',
        'Stable Diffusion 3 or FLUX, whose transformer has no counterpart',
        ONLY_FIRST_STAGE,
    ),
    (
        r'(denoiser|autoencoder|conditioner)\.',
        'a file of mmldm',
        'it needs no conversion: give it to mmldm.apis.init_model or '
        'tools/sample.py',
    ),
    (
        r'(down_blocks|mid_block|time_embedding)\.',
        'a UNet of diffusers',
        DIFFUSERS,
    ),
    (
        r'(text_model|transformer\.text_model)\.',
        'a text encoder alone',
        'give the checkpoint of the whole model',
    ),
    (
        r'(encoder|decoder)\.layers\.|\d+\.(weight|conv\.0\.weight)',
        'a tiny autoencoder (TAESD)',
        'use the folder that diffusers saved, model.autoencoder='
        "dict(type='DiffusersAutoencoder', pretrained=FOLDER)",
    ),
    (
        r'encoder\.(stages|project_in|conv_in\.conv)\.',
        'a deep compression autoencoder (DC-AE)',
        'use the folder that diffusers saved, model.autoencoder='
        "dict(type='DiffusersAutoencoder', pretrained=FOLDER)",
    ),
)


def check_known(weights: Mapping[str, Tensor]) -> None:
    """Raise if the names are those of another kind of file.

    Raises:
        ValueError: Says what it is, and the remedy.
    """
    for pattern, what, remedy in STRANGERS:
        found = [name for name in weights if re.match(pattern, name)]
        if found:
            raise ValueError(f'it is {what} ({few(found)}): {remedy}')
