import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage import data
from sklearn.datasets import load_sample_image
from torch import nn
from torchvision.models import resnet18

from mmldm.models.losses import PretrainedFeatures
from mmldm.models.losses.pretrained_features import mean_over
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import load_weights, write_checkpoint

SIDE = 96
TEXTURES = {
    'cat': data.chelsea()[110:, 150:],
    'roofs': load_sample_image('china.jpg')[100:, 150:],
    'petals': load_sample_image('flower.jpg')[150:, 200:],
    'grass': data.grass(),
    'gravel': data.gravel(),
}


@pytest.fixture(scope='module')
def distance():
    return MODELS.build(
        dict(
            type='PretrainedFeatures',
            network=dict(type='EfficientNetLiteStages'),
        )
    )


@pytest.fixture(scope='module')
def resnet(tmp_path_factory):
    """Config of a network of torchvision with random weights, and it."""
    network = resnet18().eval()
    path = str(tmp_path_factory.mktemp('weights') / 'resnet.pth')
    write_checkpoint(network.state_dict(), path)
    config = dict(
        type='ClassifierStages',
        name='resnet18',
        stages=['relu', 'layer2'],
        weights=path,
    )
    return config, network


def images(*shape):
    return torch.rand(shape) * 2 - 1


def photograph(name):
    """A square in [-1, 1], with a border of 8 pixels."""
    pixels = np.array(TEXTURES[name])
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    square = pixels[: SIDE + 16, : SIDE + 16]
    return torch.from_numpy(square).permute(2, 0, 1)[None] / 127.5 - 1


def inner(image):
    return image[..., 8:-8, 8:-8]


def blurred(image, deviation):
    places = torch.arange(-8, 9.0)
    taps = (-0.5 * (places / deviation) ** 2).exp()
    kernel = torch.outer(taps, taps)[None, None] / taps.sum() ** 2
    planes = F.pad(image, (8, 8, 8, 8), mode='reflect').transpose(0, 1)
    return F.conv2d(planes, kernel).transpose(0, 1)


def rms(error):
    return error.square().mean().sqrt()


@pytest.mark.parametrize('name', TEXTURES)
def test_blur_is_farther_than_noise_of_the_same_psnr(distance, name):
    """Zhang et al. 2018, fig. 1: an error in pixels cannot tell them apart."""
    whole = photograph(name)
    image = inner(whole)
    blur = inner(blurred(whole, 2))
    noise = torch.randn_like(image)
    noisy = image + noise * rms(blur - image) / rms(noise)
    assert rms(noisy - image) == pytest.approx(rms(blur - image).item())
    assert distance(blur, image) > 1.1 * distance(noisy, image)


@pytest.mark.parametrize('name', TEXTURES)
def test_a_shift_and_brightness_are_nearer_than_blur(distance, name):
    """Errors of pixels call a shift by one pixel as bad as strong blur."""
    whole = photograph(name)
    image, shifted = inner(whole), whole[..., 8:-8, 9:-7]
    blurs = [inner(blurred(whole, width)) for width in (0.5, 1, 2, 4)]
    blur = min(blurs, key=lambda x: abs(rms(x - image) - rms(shifted - image)))
    brighter = image + rms(blur - image)
    assert distance(shifted, image) < distance(blur, image) / 1.5
    assert distance(brighter, image) < distance(blur, image) / 5


def test_more_blur_is_farther(distance):
    whole = photograph('roofs')
    far = [
        distance(inner(blurred(whole, width)), inner(whole)).item()
        for width in (0.5, 1, 2, 4)
    ]
    assert far == sorted(far)


def test_it_is_the_baseline_of_lpips(resnet):
    """The formula, for features of torchvision's own network."""
    config, network = resnet
    x, reference = images(2, 2, 3, 64, 48)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)

    def features(image):
        inputs = ((image + 1) / 2 - mean) / deviation
        first = network.relu(network.bn1(network.conv1(inputs)))
        second = network.layer2(network.layer1(network.maxpool(first)))
        return first.detach(), second.detach()

    expected = sum(
        2 * (1 - F.cosine_similarity(ours, theirs, dim=1)).mean((1, 2))
        for ours, theirs in zip(features(x), features(reference), strict=True)
    )
    found = PretrainedFeatures(config)(x, reference)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_inputs_are_those_of_the_networks_training(distance):
    """(p - 127) / 128, p in [0, 255]."""
    network = distance.network
    seen = []
    hook = network.network.register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    network(images(1, 3, 32, 32).fill_(1))
    hook.remove()
    torch.testing.assert_close(seen[0], torch.full_like(seen[0], 1.0))


def test_equal_images_have_no_distance(distance):
    x = images(2, 3, 32, 48).requires_grad_()
    found = distance(x, x.detach())
    assert found.tolist() == [0, 0]
    found.sum().backward()
    assert not x.grad.any()


def test_gradient(resnet):
    """Moving along it changes the distance as much as it says."""
    x, reference = images(2, 1, 3, 32, 32).double()
    x.requires_grad_()
    distance = PretrainedFeatures(resnet[0])
    (gradient,) = torch.autograd.grad(distance(x, reference).sum(), x)
    step = 1e-3 * gradient / gradient.norm()
    change = (
        distance(x + step, reference) - distance(x - step, reference)
    ) / 2
    assert change.item() == pytest.approx(
        (gradient * step).sum().item(), rel=1e-2
    )


def test_it_is_no_part_of_a_model(distance):
    """Neither of its checkpoint nor of its parameters or its training."""
    model = nn.ModuleDict(dict(conv=nn.Conv2d(3, 3, 1), perceptual=distance))
    state = model.state_dict()
    assert list(state) == ['conv.weight', 'conv.bias']
    assert [*model.parameters()] == [*model.conv.parameters()]
    assert not any(w.requires_grad for w in distance.buffers())
    load_weights(model, state, 'model.pth')
    x, reference = images(2, 1, 3, 32, 32)
    expected = distance(x, reference)
    model.train()
    assert torch.equal(distance(x, reference), expected)


def test_low_precision_ends_after_the_network(distance):
    x, reference = images(2, 1, 3, 32, 32)
    exact = distance(x, reference)
    with torch.autocast('cpu', torch.bfloat16):
        rounded = distance(x.bfloat16(), reference)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0)


def test_a_later_stage_is_another_distance():
    x, reference = images(2, 1, 3, 32, 32)
    far = [
        PretrainedFeatures(dict(type='EfficientNetLiteStages', stages=stages))(
            x, reference
        )
        for stages in ((0,), (10,), (0, 10))
    ]
    torch.testing.assert_close(far[0] + far[1], far[2])


@pytest.mark.parametrize(
    'shape, size', [((1, 3, 15, 32), 16), ((1, 1, 32, 32), 16)]
)
def test_images_that_do_not_fit_are_refused(distance, shape, size):
    with pytest.raises(ValueError, match=f'RGB images of {size} or more.*got'):
        distance(images(*shape), images(*shape))


@pytest.mark.parametrize('stages', [(), (4, 2), (2, 16), (2, 2)])
def test_blocks_that_do_not_exist_are_refused(stages):
    with pytest.raises(ValueError, match='rising numbers of blocks from 0 to'):
        MODELS.build(dict(type='EfficientNetLiteStages', stages=stages))


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(name='resnet17'), "name='resnet17' is unknown: give"),
        (dict(stages=['layer9']), "no layer 'layer9': give .*'conv1'"),
        (dict(stages=[]), "no layer ''"),
        (dict(stages=['flatten']), r"'flatten' has the shape \(1, 512\)"),
        (dict(name='resnet34'), r"weights of 'resnet34': .* shape, the first"),
    ],
)
def test_other_networks_are_refused(resnet, change, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(resnet[0] | change)


def test_missing_weights_are_told_with_their_address(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    config = dict(type='ClassifierStages', name='vgg16', stages=['features.3'])
    with pytest.raises(
        FileNotFoundError, match='needs .*vgg16-397923af.pth: download https'
    ):
        MODELS.build(config)


def test_vgg_with_the_depths_of_lpips(tmp_path, monkeypatch):
    """It reads torchvision's file, by torchvision's names of layers."""
    from torchvision.models import vgg16

    with torch.device('meta'):
        empty = vgg16().features.state_dict(prefix='features.')
    weights = {name: torch.randn(w.shape) * 0.05 for name, w in empty.items()}
    path = str(tmp_path / 'vgg.pth')
    write_checkpoint(weights, path)
    depths = [f'features.{place}' for place in (3, 8, 15, 22, 29)]
    network = MODELS.build(
        dict(
            type='ClassifierStages', name='vgg16', stages=depths, weights=path
        )
    )
    assert network.min_size == 16
    features = network(images(1, 3, 32, 32))
    assert [f.shape[1] for f in features] == [64, 128, 256, 512, 512]
    assert all(f.min() == 0 for f in features)


def test_timm_has_networks_too(tmp_path):
    timm = pytest.importorskip('timm', reason='timm is not installed')
    network = timm.create_model('resnet18', pretrained=False).eval()
    path = str(tmp_path / 'timm.pth')
    write_checkpoint(network.state_dict(), path)
    config = dict(
        type='ClassifierStages', name='timm/resnet18', stages=['layer1']
    )
    stages = MODELS.build(config | dict(weights=path))
    assert stages(images(1, 3, 32, 32))[0].shape == (1, 64, 8, 8)
    with pytest.raises(FileNotFoundError, match='set weights to the path'):
        MODELS.build(config)


def test_a_position_counts_as_much_as_the_pixels_it_covers():
    """The first of four positions has all its pixels, the last a quarter."""
    values = torch.tensor([[[1.0, 10.0], [100.0, 1000.0]]])
    places = torch.zeros(1, 1, 4, 4)
    places[..., :2, :2] = 1
    places[..., 3, 3] = 1
    expected = (1 * 1 + 1000 / 4) / (1 + 1 / 4)
    assert mean_over(values, places).item() == pytest.approx(expected)
    assert mean_over(values, torch.ones(1, 1, 4, 4)) == values.mean()
    assert mean_over(values, torch.zeros(1, 1, 4, 4)) == 0


def test_a_distance_is_limited_to_places(distance):
    """The half that is equal has a distance, if small, near the other half."""
    x, places = images(2, 3, 64, 64), torch.zeros(2, 1, 64, 64)
    other = x.clone()
    other[..., 32:] = images(2, 3, 64, 32)
    places[..., 32:] = 1
    whole, changed, equal = (
        distance(other, x, p) for p in (None, places, 1 - places)
    )
    torch.testing.assert_close(whole, (changed + equal) / 2)
    assert (changed > 4 * equal).all()


def test_squared_distances_of_vectors_are_those_of_images(distance):
    images = torch.rand(5, 3, 48, 64) * 2 - 1
    rows = distance.vectors(images)
    found = torch.cdist(rows[:2], rows[2:]).square()
    for i in range(2):
        expected = distance(
            images[i : i + 1].expand(3, -1, -1, -1), images[2:]
        )
        torch.testing.assert_close(found[i], expected, rtol=1e-4, atol=1e-5)
