"""A denoiser of one's own: one class, which nothing in the package knows."""

import pytest
import torch
from torch import Tensor, nn

from mmldm.models.denoisers import Denoiser
from mmldm.registry import MODELS
from mmldm.structures import Condition


class Mixer(Denoiser):
    """A linear map of each square of 2x2 positions."""

    patch_size = 2

    def __init__(self, in_channels: int, out_channels: int, **kwargs) -> None:
        super().__init__(in_channels, out_channels, **kwargs)
        self.down = nn.Conv2d(in_channels, 8, 2, stride=2)
        self.up = nn.ConvTranspose2d(8, out_channels, 2, stride=2)
        self.time = nn.Linear(1, 8)
        self.tokens = nn.Linear(self.context_dim or 1, 8)

    def denoise(self, x: Tensor, t: Tensor, cond: Condition) -> Tensor:
        shift = self.time(t[:, None] / 1000)
        if cond.tokens is not None:
            shift = shift + self.tokens(cond.tokens).mean(1)
        x = self.run_block(self.down, x) + shift[:, :, None, None]
        return self.up(x.tanh())


@pytest.fixture(autouse=True)
def registered():
    """Only as long as the test runs."""
    MODELS.register_module(module=Mixer)
    yield
    del MODELS._module_dict['Mixer']


def mixer(**changes):
    """Its config, in the place of the tiny model's UNet."""
    config = dict(in_channels=4, out_channels=4, context_dim=8)
    return dict(_delete_=True, type='Mixer', **config | changes)


@pytest.fixture
def samples(labelled):
    return [labelled(3, address=(0, 0)), labelled(7, address=(0, 1))]


def test_it_is_trained_and_sampled(tiny_ldm, samples):
    """Two steps of the optimizer lower the loss on one batch."""
    model = tiny_ldm(denoiser=mixer())
    inputs = torch.rand(2, 3, 8, 8) * 2 - 1
    optimizer = torch.optim.Adam(model.denoiser.parameters(), lr=0.01)
    losses = []
    for _ in range(3):
        losses.append(model.loss(inputs, samples)['loss_denoise'])
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[2] < losses[0]
    first, second = model.sample(samples)
    model.conditioner.embedders[0].embedding.weight.data[7] += 1
    same, other = model.sample(samples)
    torch.testing.assert_close(same, first)
    assert not torch.allclose(other, second)


def test_what_it_was_not_built_for_is_refused(tiny_ldm):
    for change, remedy in (
        (dict(in_channels=5), 'set denoiser.in_channels=4'),
        (dict(out_channels=3), 'set denoiser.out_channels=4'),
        (dict(context_dim=9), 'set denoiser.context_dim=8'),
        (dict(vector_dim=3), 'set denoiser.vector_dim=None'),
    ):
        with pytest.raises(ValueError, match=remedy):
            tiny_ldm(denoiser=mixer(**change))


@pytest.mark.parametrize(
    'overrides, message',
    [
        (dict(image_size=6), 'image_size=6 makes latents of 3x3, which deno'),
        (dict(image_size=(8, 6)), 'image_size to a multiple of 4'),
        (dict(windows=dict(type='Windows', size=3)), 'windows.size to a mul'),
    ],
)
def test_sizes_that_its_patches_do_not_divide_are_refused(
    tiny_ldm, overrides, message
):
    """The autoencoder's factor is 2. An odd border is rounded up before."""
    tiny_ldm(denoiser=mixer(), image_size=7)
    with pytest.raises(ValueError, match=message):
        tiny_ldm(denoiser=mixer(), **overrides)


def test_a_size_that_is_asked_for_later_is_refused_too(tiny_ldm, labelled):
    with pytest.raises(ValueError, match='patch_size=2 does not divide'):
        tiny_ldm(denoiser=mixer()).sample([labelled(3, (0, 0), (8, 10))])


def test_what_is_no_denoiser_is_refused(tiny_ldm):
    kind = dict(_delete_=True, type='LearnedLogVariance', num_timesteps=9)
    with pytest.raises(ValueError, match='type=LearnedLogVariance is no den'):
        tiny_ldm(denoiser=kind)


def test_blocks_are_computed_again_where_asked():
    network = Mixer(4, 4, checkpointing=True)
    calls = []
    network.down.register_forward_pre_hook(lambda *_: calls.append(1))
    x = torch.randn(1, 4, 2, 2, requires_grad=True)
    network(x, torch.zeros(1), Condition()).sum().backward()
    assert len(calls) == 2
