"""The same numbers from the UNets of diffusers."""

import diffusers
import pytest
import torch

from mmldm.converters import (
    denoiser_from_diffusers,
    denoiser_to_diffusers,
    denoiser_to_diffusers_config,
)
from mmldm.registry import MODELS
from mmldm.structures import Condition

UNET = dict(
    type='DenoisingUNet',
    in_channels=5,
    out_channels=4,
    channels=64,
    channel_mults=(1, 2, 3),
    num_res_blocks=1,
    attn_factors=(2, 4),
)
T = torch.tensor([10.0, 900.0])


def both(awaken, config):
    """Our network, and diffusers' with its weights."""
    ours = awaken(MODELS.build(config)).eval()
    arguments = denoiser_to_diffusers_config(config)
    kind = getattr(diffusers, arguments.pop('_class_name'))
    theirs = kind(**arguments).eval()
    weights = denoiser_to_diffusers(ours.state_dict(), config)
    theirs.load_state_dict(weights)
    return ours, theirs


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(num_res_blocks=2, attn_factors=(1, 4)),
        dict(attention=dict(head_channels=16)),
    ],
)
@torch.no_grad()
def test_without_tokens_it_is_unet2dmodel(awaken, options):
    ours, theirs = both(awaken, UNET | options)
    z_t = torch.randn(2, 5, 8, 12)
    torch.testing.assert_close(
        ours(z_t, T, Condition()),
        theirs(z_t, T).sample,
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(attention=dict(num_heads=8, depth=2), attn_factors=(1, 2)),
        dict(attention=dict(head_channels=16)),
        dict(res_block=dict(scale_shift=True)),
    ],
)
@pytest.mark.parametrize('num_tokens', [1, 3])
@torch.no_grad()
def test_with_tokens_it_is_unet2dconditionmodel(awaken, options, num_tokens):
    ours, theirs = both(awaken, UNET | dict(context_dim=8) | options)
    z_t, tokens = torch.randn(2, 5, 8, 12), torch.randn(2, num_tokens, 8)
    torch.testing.assert_close(
        ours(z_t, T, Condition(tokens=tokens)),
        theirs(z_t, T, encoder_hidden_states=tokens).sample,
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize('context_dim', [None, 8])
def test_there_and_back_every_number_is_the_same(context_dim):
    config = UNET | dict(context_dim=context_dim)
    ours = MODELS.build(config).state_dict()
    theirs = denoiser_to_diffusers(ours, config)
    back = denoiser_from_diffusers(theirs, config)
    assert back.keys() == ours.keys()
    for name, weight in ours.items():
        assert torch.equal(back[name], weight), name


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(vector_dim=6), 'vector_dim=6: diffusers knows no vector'),
        (dict(attention=dict(num_heads=2)), r'of \[64, 96\] channels'),
        (dict(res_block=dict(updown=True)), 'res_block.updown=True'),
        (dict(res_block=dict(scale_shift=True)), 'has no normalisation'),
    ],
)
def test_what_diffusers_has_not_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        denoiser_to_diffusers_config(UNET | options)


def test_weights_of_another_network_are_refused():
    theirs = denoiser_to_diffusers(MODELS.build(UNET).state_dict(), UNET)
    del theirs['conv_out.bias']
    with pytest.raises(ValueError, match='conv_out.bias is missing'):
        denoiser_from_diffusers(theirs, UNET)
