"""A transformer of somebody else, with one output a channel or two."""

import pytest
import torch
from torch import nn

from mmldm.models.denoisers import Denoiser


class Patches(Denoiser):
    """A token for each patch of 2 x 2; time and condition are tokens too."""

    patch_size = 2

    def __init__(self, in_channels, out_channels, width=16, **dims):
        super().__init__(in_channels, out_channels, **dims)
        self.cut = nn.Conv2d(in_channels, width, 2, stride=2)
        self.tell = nn.Linear(1 + self.context_dim, width)
        layer = nn.TransformerEncoderLayer(width, 2, 32, 0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1)
        self.join = nn.ConvTranspose2d(width, out_channels, 2, stride=2)

    def denoise(self, x, t, cond):
        patches = self.cut(x)
        told = torch.cat([t[:, None] / 1000, cond.tokens.flatten(1)], dim=1)
        rows = patches.flatten(2).mT + self.tell(told)[:, None]
        return self.join(self.layers(rows).mT.reshape(patches.shape))


VARIANCE = dict(type='LearnedVariance')


@pytest.fixture
def build(register, tiny_ldm):
    """Builds a model of it."""
    register(Patches)

    def build(out_channels=4, **scheduler):
        return tiny_ldm(
            denoiser=dict(
                _delete_=True,
                type='Patches',
                in_channels=4,
                out_channels=out_channels,
                context_dim=8,
            ),
            diffusion_scheduler=scheduler,
        )

    return build


@pytest.fixture
def samples(labelled):
    return [labelled(i, address=(0, i)) for i in range(2)]


IMAGES = torch.linspace(-1, 1, 2 * 3 * 64).view(2, 3, 8, 8)


@pytest.mark.parametrize(
    'options', [{}, dict(out_channels=8, variance=VARIANCE)]
)
def test_it_trains_and_draws_what_it_is_told(build, samples, options):
    model = build(**options)
    model.loss(IMAGES, samples)['loss_denoise'].backward()
    assert all(w.grad.any() for w in model.denoiser.join.parameters())
    drawn = [s.pred_img for s in model.predict(None, samples)]
    samples[1].set_gt_label(7)
    again = [s.pred_img for s in model.predict(None, samples)]
    assert torch.equal(drawn[0], again[0])
    assert not torch.equal(drawn[1], again[1])


def test_the_second_output_is_trained_and_not_drawn(build, samples):
    model = build(out_channels=8, variance=VARIANCE)
    join = model.denoiser.join
    model.loss(IMAGES, samples)['loss_denoise'].backward()
    assert join.weight.grad[:, 4:].any()
    drawn = model.sample(samples)
    with torch.no_grad():
        join.weight[:, 4:] += 1
    assert torch.equal(model.sample(samples), drawn)


@pytest.mark.parametrize(
    'options, message',
    [
        (
            dict(out_channels=8),
            'set denoiser.out_channels=4, or, if it predicts variances, '
            r"diffusion_scheduler.variance=dict\(type='LearnedVariance'\)",
        ),
        (
            dict(variance=VARIANCE),
            'out_channels=4, .*variance: set denoiser.out_channels=8',
        ),
    ],
)
def test_outputs_that_do_not_fit_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
