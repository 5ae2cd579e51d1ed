import pytest
import torch
import torch.nn.functional as F
from skimage import data
from torch import nn

from mmldm.models.losses import AdversarialLoss
from mmldm.models.losses.feature_discriminator import _as_channels
from mmldm.registry import MODELS


def discriminator(stages=(0, 2), channels=8):
    return dict(
        type='FeatureDiscriminator',
        network=dict(type='EfficientNetLiteStages', stages=stages),
        channels=channels,
    )


def grass(number, side=32):
    """Real texture, (number, 3, side, side) in [-1, 1]."""
    image = torch.from_numpy(data.grass()).float() / 127.5 - 1
    squares = image.unfold(0, side, side).unfold(1, side, side)
    squares = squares.reshape(-1, 1, side, side)[:number]
    return squares.expand(-1, 3, -1, -1)


def test_only_the_heads_are_trained():
    model = MODELS.build(discriminator())
    trained = [k for k, p in model.named_parameters() if p.requires_grad]
    assert trained and all(name.startswith('heads.') for name in trained)
    # The projection belongs to the trained heads; the network comes anew.
    stored = {name.split('.')[0] for name in model.state_dict()}
    assert stored == {'heads', 'projections'}


def test_every_stage_has_the_same_weight():
    fine, coarse = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 2, 2)
    both = _as_channels([fine, coarse])
    assert both.shape == (2, 2, 4, 4)
    assert torch.allclose(both.mean(), (fine.mean() + coarse.mean()) / 2)


def test_it_learns_in_a_few_steps_what_blur_is():
    torch.manual_seed(0)
    loss = AdversarialLoss(discriminator(), weight=1.0)
    heads = [p for p in loss.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(heads, lr=3e-3)
    real = grass(32)
    blurred = F.interpolate(F.avg_pool2d(real, 2), scale_factor=2.0)
    for _ in range(20):
        optimizer.zero_grad()
        losses = loss.discriminator_losses(blurred[:16], real[:16])
        losses['loss_discriminator'].backward()
        optimizer.step()
    unseen = loss.discriminator_losses(blurred[16:], real[16:])
    assert unseen['logits_real'] > unseen['logits_fake'] + 0.5


def test_images_get_a_gradient_and_the_heads_do_not():
    loss = AdversarialLoss(discriminator(), weight=1.0)
    x = grass(2).clone().requires_grad_()
    loss.generator_loss(x).backward()
    assert x.grad.abs().sum() > 0
    assert all(p.grad is None for p in loss.parameters())


def test_small_images_are_refused():
    model = MODELS.build(discriminator())
    with pytest.raises(ValueError, match=r'\(4, 4\).*network.stages'):
        model(torch.zeros(1, 3, 4, 4))


@pytest.mark.parametrize('stages', [(0,), (0, 2, 4)])
def test_every_stage_has_a_head(stages):
    model = MODELS.build(discriminator(stages))
    assert isinstance(model.heads[0], nn.Module)
    assert model(grass(2)).shape == (2, len(stages), 16, 16)
