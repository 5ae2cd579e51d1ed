import pytest
import torch

from mmldm.registry import MODELS
from mmldm.utils import SampleRandom

NOISE = SampleRandom([(0, 0), (0, 1)]).normal('codes')


@pytest.fixture
def build(tiny_autoencoder):
    def build(quantizer=None, **options):
        config = {**tiny_autoencoder, 'type': 'AutoencoderVQ', **options}
        return MODELS.build(
            {**config, 'quantizer': {'num_codes': 16, **(quantizer or {})}}
        )

    return build


@pytest.fixture
def x():
    return torch.rand(2, 3, 8, 8) * 2 - 1


def test_latents_are_continuous_and_the_decoder_sees_codes(build, x):
    model = build(latent_scale=2.0, latent_shift=0.1)
    z = model.encode(x)
    raw = model.quant_conv(model.encoder(x))
    torch.testing.assert_close(z, (raw - 0.1) * 2)
    assert not torch.allclose(model.quantizer.quantize(raw), raw)
    expected = model.decode_for_training(model.quantizer.quantize(raw))
    torch.testing.assert_close(model.decode(z), expected)


def test_codes_are_those_that_scaled_latents_are_decoded_from(build, x):
    model = build(latent_scale=[0.5, 1.0, 2.0, 3.0], latent_shift=0.1)
    z = model.encode(x)
    codes = model.codes(z)
    assert codes.shape == (2, 4, 4)
    decoded = model.decode_for_training(model.quantizer.embed(codes))
    torch.testing.assert_close(decoded, model.decode(z))
    assert model.num_codes == 16


def test_training_sees_what_decoding_sees(build, x):
    """And the quantiser's losses and logs, after the transform."""
    model = build()
    coding = model.encode_for_training(x, NOISE)
    torch.testing.assert_close(
        model.decode_for_training(coding.z), model.decode(model.encode(x))
    )
    assert coding.losses.keys() == {'codebook', 'commit'}
    assert coding.logs.keys() == {'perplexity', 'code_usage'}
    flipped = model.encode_for_training(x, NOISE, lambda z: z.flip(3))
    torch.testing.assert_close(flipped.z, coding.z.flip(3))


def test_gradients_pass_the_codes(build, x):
    model = build()
    coding = model.encode_for_training(x, NOISE)
    loss = model.decode_for_training(coding.z).square().mean()
    (loss + sum(coding.losses.values())).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None and weight.grad.any(), name


def test_options_of_the_quantizer_arrive(build):
    quantizer = build(quantizer=dict(num_codes=5, ema_decay=0.9)).quantizer
    assert quantizer.codebook.shape == (5, 4)
    assert not quantizer.codebook.requires_grad


def test_codes_may_have_fewer_channels_than_the_codec(build, x):
    """Low-dimensional codes: the 1x1 convolutions project."""
    model = build(latent_channels=2, z_channels=32)
    assert model.encoder(x).shape[1] == 32
    assert model.encode(x).shape[1] == model.quantizer.codebook.shape[1] == 2
    assert model.decode(model.encode(x)).shape == x.shape


@pytest.mark.parametrize('skip', ['image_skip', 'block_skip'])
def test_a_skip_needs_codes_of_any_length(build, skip):
    message = f'{skip}=True .* set quantizer.normalize=False'
    with pytest.raises(ValueError, match=message):
        build(**{skip: True}, quantizer=dict(normalize=True))


def test_a_gradient_goes_straight_through_the_codes(build):
    """As gradient guidance by the decoded image needs it."""
    model = build(latent_scale=2.0)
    z = torch.randn(2, 4, 4, 4)
    z_q = model.quantizer.quantize(z / 2).detach()
    given, codes = z.clone().requires_grad_(), z_q.requires_grad_()
    decoded = model.decode(given)
    torch.testing.assert_close(decoded, model.decode(z))
    (through,) = torch.autograd.grad(decoded.square().sum(), given)
    at_codes = model.decode_for_training(codes).square().sum()
    (expected,) = torch.autograd.grad(at_codes, codes)
    torch.testing.assert_close(through, expected / 2, rtol=1e-4, atol=1e-4)
