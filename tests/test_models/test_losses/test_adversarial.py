import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmldm.models.losses import AdversarialLoss, PatchDiscriminator
from mmldm.models.losses.adversarial import GAN_LOSSES

TINY = dict(type='PatchDiscriminator', channels=4, num_layers=1)


@pytest.fixture
def images():
    return torch.rand(2, 2, 3, 16, 16) * 2 - 1


def build(**options):
    return AdversarialLoss(**{'discriminator': TINY, 'weight': 1.0, **options})


def test_a_logit_sees_a_patch_of_70_pixels():
    """Isola et al. 2017, app. 6.1.2: three layers see 70 x 70."""
    model = PatchDiscriminator(channels=4, num_layers=3).eval()
    x = torch.randn(1, 3, 128, 128, requires_grad=True)
    logits = model(x)
    logits[0, 0, 7, 7].backward()
    rows = x.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert rows.max() - rows.min() + 1 == 70


@pytest.mark.parametrize(
    'num_layers, parameters', [(2, 663_361), (3, 2_765_633)]
)
def test_layers_halve_and_widen_as_in_the_original(num_layers, parameters):
    model = PatchDiscriminator(num_layers=num_layers)
    assert sum(p.numel() for p in model.parameters()) == parameters
    strides = [m.stride[0] for m in model if isinstance(m, nn.Conv2d)]
    assert strides == [2] * num_layers + [1, 1]


def test_weights_start_small():
    model = PatchDiscriminator().requires_grad_(False)
    assert model[2].weight.std() == pytest.approx(0.02, rel=0.05)
    assert model[3].weight.std() == pytest.approx(0.02, rel=0.3)
    assert model[3].weight.mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize('num_layers, size', [(1, 6), (3, 24)])
def test_images_smaller_than_a_patch_are_refused(num_layers, size):
    model = PatchDiscriminator(4, num_layers)
    assert model(torch.zeros(2, 3, size, size)).shape[2:] == (1, 1)
    with pytest.raises(ValueError, match=f'needs {size}: set model.adv'):
        model(torch.zeros(2, 3, size - 1, size))


@pytest.mark.parametrize('loss', GAN_LOSSES)
def test_losses_at_hand_made_logits(loss):
    real, fake = torch.tensor([0.5, -2.0]), torch.tensor([-0.5, 3.0])
    of_discriminator, of_generator = GAN_LOSSES[loss]
    hinge = 0.5 * ((0.5 + 3) / 2 + (0.5 + 4) / 2)
    sigmoid = [1 / (1 + math.exp(-v)) for v in (0.5, -2.0, -0.5, 3.0)]
    entropy = -0.25 * sum(
        math.log(p) for p in [*sigmoid[:2], 1 - sigmoid[2], 1 - sigmoid[3]]
    )
    expected = hinge if loss == 'hinge' else entropy
    assert of_discriminator(real, fake) == pytest.approx(expected)
    fools = -0.5 * sum(math.log(p) for p in sigmoid[2:])
    expected = fools if loss == 'non_saturating' else -1.25
    assert of_generator(fake) == pytest.approx(expected)


@pytest.mark.parametrize('loss', GAN_LOSSES)
def test_the_loss_asked_for_arrives(loss, images):
    model = build(loss=loss)
    x, reference = images
    terms = model.discriminator_losses(x, reference)
    real, fake = model.discriminator(reference), model.discriminator(x)
    of_discriminator, of_generator = GAN_LOSSES[loss]
    torch.testing.assert_close(
        terms['loss_discriminator'], of_discriminator(real, fake)
    )
    torch.testing.assert_close(terms['logits_real'], real.mean())
    torch.testing.assert_close(terms['logits_fake'], fake.mean())
    torch.testing.assert_close(model.generator_loss(x), of_generator(fake))


def test_gradients_reach_only_whom_the_loss_is_for(images):
    model = build()
    x, reference = images.requires_grad_()
    (grad,) = torch.autograd.grad(model.generator_loss(x), images)
    assert grad[0].any()
    model.generator_loss(x).backward()
    assert all(p.grad is None for p in model.parameters())
    images.grad = None
    model.discriminator_losses(x, reference)['loss_discriminator'].backward()
    assert all(p.grad is not None for p in model.parameters())
    assert not images.grad[0].any()


def test_the_weight_starts_and_rises():
    sudden = build(weight=0.5, start=3)
    assert [sudden.weight_at(i) for i in range(5)] == [0, 0, 0, 0.5, 0.5]
    slow = build(weight=0.8, start=2, ramp=4)
    expected = [0, 0, 0.2, 0.4, 0.6, 0.8, 0.8]
    assert [slow.weight_at(i) for i in range(7)] == pytest.approx(expected)


def test_the_discriminator_leads():
    model = build(start=5, lead=2)
    assert [model.is_trained(i) for i in range(6)] == [False] * 3 + [True] * 3


def test_the_adaptive_weight_makes_both_pull_equally(images):
    """At the layer's weight, up to the 1e-4 that keeps it finite."""
    layer = nn.Conv2d(3, 3, 1)
    model = build()
    x = layer(images[0])
    error, adversarial = F.l1_loss(x, images[1]), model.generator_loss(x)
    weight = model.adaptive_weight(error, adversarial, layer.weight)
    assert not weight.requires_grad
    norms = [
        torch.autograd.grad(loss, layer.weight, retain_graph=True)[0].norm()
        for loss in (error, adversarial)
    ]
    torch.testing.assert_close(weight, norms[0] / (norms[1] + 1e-4))
    scaled = model.adaptive_weight(error, adversarial, layer.weight, 2.0**16)
    torch.testing.assert_close(scaled, weight)
    for bound in (weight / 2, weight * 2):
        bounded = build(max_adaptive_weight=float(bound))
        found = bounded.adaptive_weight(error, adversarial, layer.weight)
        torch.testing.assert_close(found, torch.minimum(weight, bound))


@pytest.mark.parametrize('loss_scale', [1.0, 2.0**16, 2.0**24, 2.0**40])
def test_no_loss_scale_changes_the_weight_in_float16(images, loss_scale):
    """Gradients that vanish or overflow would switch the loss off."""
    layer = nn.Conv2d(3, 3, 1)
    model = build()

    def weight(dtype, scale):
        with torch.autocast('cpu', torch.float16, enabled=dtype is not None):
            x = layer(images[0]).float()
            error = F.l1_loss(x, images[1])
            return model.adaptive_weight(
                error, model.generator_loss(x), layer.weight, scale
            )

    expected = weight(None, 1.0)
    found = weight(torch.float16, loss_scale)
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(loss='hing'), "loss='hing' is not known; did you mean 'hinge'"),
        (dict(weight=0), 'weight=0 must be positive'),
        (dict(start=-1), 'start=-1 must be >= 0'),
        (dict(lead=-1), 'lead=-1 must be >= 0'),
        (dict(ramp=-1), 'ramp=-1 must be >= 0'),
        (
            dict(discriminator=dict(TINY, num_layers=0)),
            'num_layers=0 must be positive',
        ),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
