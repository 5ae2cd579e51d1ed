"""First stages that start as a pair of resizings."""

import pytest
import torch
import torch.nn.functional as F

from mmldm.registry import MODELS

CONFIG = dict(
    type='AutoencoderKL',
    latent_channels=4,
    channels=32,
    channel_mults=(1, 2, 4),
    num_res_blocks=1,
    mid_attention=False,
    norm_groups=8,
    starts_as_resizing=True,
)


@pytest.fixture
def image():
    """Smooth colours from black to white, of another mean in each channel."""
    torch.manual_seed(0)
    small = torch.rand(2, 3, 4, 6) * 2 - 1
    return F.interpolate(small, scale_factor=8, mode='bilinear')


@pytest.mark.parametrize(
    'options, factor',
    [
        (dict(), 4),
        (dict(channel_mults=(1, 1), num_res_blocks=2), 2),
        (dict(mid_attention=True, attn_factors=(2,)), 4),
        (dict(channels=48, norm_groups=3, latent_channels=3), 4),
        (dict(type='AutoencoderVQ', quantizer=dict(num_codes=8)), 4),
    ],
)
@torch.no_grad()
def test_it_starts_as_means_and_their_repetition(options, factor, image):
    torch.manual_seed(1)
    first_stage = MODELS.build(CONFIG | options).eval()
    means = F.avg_pool2d(image, factor)
    z = first_stage.encode(image)
    assert (z[:, :3] - means).abs().max() < 0.1
    enlarged = F.interpolate(z[:, :3], scale_factor=factor)
    assert (first_stage.decode_for_training(z) - enlarged).abs().max() < 0.05
    # Neither the brightness nor the contrast of an image is lost.
    for change in (image / 4, image / 4 - 0.5):
        found = first_stage.encode(change)[:, :3]
        assert (found - F.avg_pool2d(change, factor)).abs().max() < 0.05


def train(first_stage, image, steps):
    """Some steps of Adam; the error of the reconstruction after each."""
    optimizer = torch.optim.Adam(first_stage.parameters(), lr=2e-4)
    errors = []
    for _ in range(steps):
        optimizer.zero_grad()
        coding = first_stage.encode_for_training(image, torch.randn_like)
        x = first_stage.decode_for_training(coding.z)
        error = (x - image).square().mean()
        (error + 1e-6 * sum(coding.losses.values())).backward()
        optimizer.step()
        errors.append(error.item())
    return errors


def test_training_begins_where_it_starts_and_keeps_the_colours(image):
    """Without what is held, the first steps lose the colours again."""
    torch.manual_seed(1)
    errors = train(MODELS.build(CONFIG), image, steps=20)
    assert max(errors) < 1.5 * errors[0]
    assert errors[-1] < errors[0]


def test_every_weight_learns_but_what_passes_the_colours(image):
    torch.manual_seed(1)
    first_stage = MODELS.build(CONFIG)
    before = {n: w.detach().clone() for n, w in first_stage.named_parameters()}
    train(first_stage, image, steps=3)
    same = {
        name: (weight == before[name]).float().mean().item()
        for name, weight in first_stage.named_parameters()
    }
    assert max(same.values()) < 1, max(same, key=same.get)
    # Of eight norm groups, three have a colour.
    assert same['encoder.0.bias'] == 3 * 4 / 32
    assert same['decoder.0.bias'] == 3 * 4 / 128


def test_a_checkpoint_replaces_what_it_starts_with():
    plain = MODELS.build(CONFIG | dict(starts_as_resizing=False))
    starting = MODELS.build(CONFIG)
    starting.load_state_dict(plain.state_dict())
    for name, weight in plain.state_dict().items():
        assert torch.equal(starting.state_dict()[name], weight), name


@pytest.mark.parametrize(
    'options', [dict(norm_groups=16), dict(norm_groups=2)]
)
def test_groups_that_cannot_hold_the_colours_are_refused(options):
    with pytest.raises(
        ValueError, match='starts_as_resizing=True needs .* set autoencoder.no'
    ):
        MODELS.build(CONFIG | options)


def test_latents_of_too_few_channels_are_refused():
    with pytest.raises(ValueError, match='latent_channels.* to 3 or more'):
        MODELS.build(CONFIG | dict(latent_channels=2))


def test_a_image_skip_beside_it_is_refused():
    with pytest.raises(ValueError, match='image_skip=False'):
        MODELS.build(CONFIG | dict(image_skip=True))
