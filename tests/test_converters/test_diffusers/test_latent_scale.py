"""One number for all channels, or what gives the same latents."""

import pytest
import torch

from mmldm.converters.diffusers.latent_scale import (
    fold_latent_scale,
    scale_keys,
)
from mmldm.registry import MODELS

KL = dict(
    type='AutoencoderKL',
    latent_channels=4,
    channels=32,
    channel_mults=(1, 2),
    num_res_blocks=1,
    mid_attention=False,
    norm_groups=8,
)
VQ = KL | dict(type='AutoencoderVQ', quantizer=dict(num_codes=16))
BY_CHANNEL = dict(
    latent_scale=[0.2, 1.3, 4.0, 0.7], latent_shift=[3.0, -0.5, 0.0, 1.0]
)
X = torch.linspace(-1, 1, 2 * 3 * 8 * 16, dtype=torch.float64)
X = X.view(2, 3, 8, 16)


def noise_like(mean):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(mean.shape, generator=generator).to(mean)


@pytest.mark.parametrize('without', [{}, dict(quant_conv=False)])
@pytest.mark.parametrize('draw_noise', [None, noise_like])
@pytest.mark.parametrize(
    'options', [BY_CHANNEL, dict(latent_scale=0.3, latent_shift=0.5)]
)
@torch.no_grad()
def test_what_is_folded_encodes_and_decodes_the_same(
    options, draw_noise, without
):
    """To the rounding of float64, the log-variance of latents included."""
    config = KL | options | without
    ours = MODELS.build(config).double().eval()
    weights, found, (note,) = fold_latent_scale(ours.state_dict(), config)
    assert found['quant_conv'] and found['post_quant_conv']
    assert note.startswith('latent_scale and latent_shift of each channel')
    keys = scale_keys(weights, 'AutoencoderKL')
    assert keys == dict(scaling_factor=1, shift_factor=None)
    folded = MODELS.build(KL).double().eval()
    folded.load_state_dict(weights)
    z = ours.encode(X, draw_noise)
    near = dict(rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(folded.encode(X, draw_noise), z, **near)
    torch.testing.assert_close(folded.decode(z), ours.decode(z), **near)
    unscaled = MODELS.build(KL | without).double().eval()
    unscaled.load_state_dict(
        ours.state_dict()
        | {name: weights[name] for name in ('latent_scale', 'latent_shift')}
    )
    assert (unscaled.decode(z) - ours.decode(z)).abs().max() > 1e-3


def test_folding_leaves_the_model_as_it_is():
    ours = MODELS.build(KL | BY_CHANNEL)
    before = {name: w.clone() for name, w in ours.state_dict().items()}
    fold_latent_scale(ours.state_dict(), KL | BY_CHANNEL)
    for name, weight in ours.state_dict().items():
        assert torch.equal(weight, before[name]), name


@pytest.mark.parametrize('config', [KL, VQ])
def test_one_scale_stays_the_number_that_it_is(config):
    config = config | dict(latent_scale=0.3)
    given = MODELS.build(config).state_dict()
    weights, same, notes = fold_latent_scale(given, config)
    assert notes == [] and same == config
    assert scale_keys(weights, config['type'])['scaling_factor'] == 0.3
    assert all(weights[name] is given[name] for name in given)


@pytest.mark.parametrize(
    'options, message',
    [
        (
            dict(latent_scale=[1, 1, 1, 2]),
            r'latent_scale=\[1.0, .* has no .* without per_channel',
        ),
        (dict(latent_shift=0.5), r'latent_shift=\[0.5, .* has no counterpart'),
    ],
)
def test_codes_of_another_scale_are_refused(options, message):
    """The nearest code depends on the scale of each channel."""
    config = VQ | options
    weights, _, notes = fold_latent_scale(
        MODELS.build(config).state_dict(), config
    )
    assert notes == []
    with pytest.raises(ValueError, match=message):
        scale_keys(weights, 'AutoencoderVQ')
