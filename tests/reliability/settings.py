"""Model files whose config asks for too much."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from entries import COMMAND, Entry
from headers import entry, in_config, put


def entries() -> Iterator[Entry]:
    """A value in the config of a model file each."""
    for name, (path, value) in SETTINGS.items():
        yield entry('settings', name, in_config(partial(put, path, value)))


HUGE = 10**9
# Of numbers: what they make of a small file.
SETTINGS: dict[str, tuple[str, Any]] = {
    **{
        f'{path}={value!r:.20}': (path, value)
        for path in (
            *('denoiser.channels', 'denoiser.num_res_blocks'),
            *('denoiser.context_dim', 'autoencoder.channels'),
            *('autoencoder.num_res_blocks', 'image_size'),
            *('conditioner.embedders.0.num_classes',),
            *('diffusion_scheduler.num_steps', 'autoencoder.latent_channels'),
        )
        for value in (HUGE, 10**400, -1, 0, 0.5, None, 'x', [HUGE], True)
    },
    'a thousand levels': ('denoiser.channel_mults', [1] * 1000),
    'growing levels': ('autoencoder.channel_mults', [2**i for i in range(40)]),
    'NaN': ('guidance', dict(type='ClassifierFreeGuidance', scale=1e999)),
    'custom_imports': ('custom_imports', dict(imports=['evil'])),
    '_scope_': ('denoiser._scope_', 'evil'),
    'init_cfg': (
        'denoiser.init_cfg',
        dict(type='Pretrained', checkpoint='evil.pt'),
    ),
    'other weights': ('autoencoder_checkpoint', '/etc/passwd'),
    'a guide': ('guide_checkpoint', '../evil.pth'),
    'pretrained': (
        'conditioner.embedders.0',
        dict(type='TextEncoder', pretrained='.', max_length=6),
    ),
    'a network of the hub': (
        'conditioner.embedders.0',
        dict(type='TextEncoder', pretrained='evil/evil', max_length=6),
    ),
    'a device as tokenizer': (
        'conditioner.embedders.0',
        dict(
            type='TextEncoder',
            config=dict(model_type='clip_text_model'),
            tokenizer='/dev/zero',
            max_length=6,
        ),
    ),
    'model_type of code': (
        'conditioner.embedders.0',
        dict(
            type='TextEncoder',
            config=dict(model_type='os.system'),
            tokenizer='.',
            max_length=6,
        ),
    ),
    'a data preprocessor': (
        'data_preprocessor',
        dict(type='os.system', command=COMMAND),
    ),
}
