import hashlib
import shutil
import sys
import warnings

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mmldm.models.losses import LPIPS, LaplacianPyramidLoss
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import load_weights, write_checkpoint

# Of the original, for the weights, inputs and `last` below.
ORIGINAL = dict(
    loss_kl=[0.13093852996826172, 0.13124169409275055],
    loss_vq=[0.10909886658191681, 0.11225780844688416],
)


@pytest.fixture(scope='module')
def files(reference, tmp_path_factory):
    """Stores the weights of the reference; arguments of LPIPS."""
    folder = tmp_path_factory.mktemp('weights')
    paths = dict(
        vgg_weights=str(folder / 'vgg.pth'),
        linear_weights=str(folder / 'linear.pth'),
    )
    # torchvision's file holds a classifier, too, and old files Parameters.
    vgg = reference.vgg_weights('loss_kl', slices=False)
    classifier = {'classifier.6.bias': torch.zeros(1000)}
    write_checkpoint(vgg | classifier, paths['vgg_weights'])
    parameters = {
        name.removeprefix('loss_kl.perceptual_loss.'): nn.Parameter(weight)
        for name, weight in reference.linear_weights('loss_kl').items()
    }
    write_checkpoint(parameters, paths['linear_weights'])
    return paths


@pytest.fixture
def lpips(files):
    return MODELS.build(dict(type='LPIPS', **files))


@pytest.fixture
def no_files(monkeypatch, tmp_path):
    """A machine without weights; the folder of torch's cache."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    monkeypatch.setitem(sys.modules, 'lpips', None)
    cache = tmp_path / 'hub' / 'checkpoints'
    cache.mkdir(parents=True)
    return cache


def images(*shape):
    return torch.rand(shape) * 2 - 1


@pytest.mark.parametrize('case', ORIGINAL)
def test_lpips_of_the_original(reference, case, tmp_path):
    """Also weights by their names in the original's first stages."""
    path = str(tmp_path / 'model.pth')
    write_checkpoint(
        reference.vgg_weights(case, True) | reference.linear_weights(case),
        path,
    )
    last = nn.Conv2d(8, 3, 3, padding=1)
    for name, weight in last.named_parameters():
        rule = reference.weight(f'{case}.last.{name}', weight.shape)
        weight.data.copy_(rule)
    x = last(reference.gaussian(f'{case}/hidden', (2, 8, 64, 64)))
    image = reference.gaussian(f'{case}/image', (2, 3, 64, 64)).clamp(-1, 1)
    distance = LPIPS(path, path)(x, image)
    assert distance.tolist() == pytest.approx(ORIGINAL[case], rel=1e-5)


def test_lpips_of_its_authors(tmp_path):
    """Their package: values and gradients; it holds the linear weights."""
    package = pytest.importorskip(
        'lpips', reason='requirements/tests.txt is not installed'
    )
    with warnings.catch_warnings(action='ignore'):
        theirs = package.LPIPS(net='vgg', pnet_rand=True, verbose=False)
    path = str(tmp_path / 'vgg.pth')
    weights = theirs.state_dict()
    write_checkpoint({n: w for n, w in weights.items() if 'net' in n}, path)
    ours = LPIPS(vgg_weights=path)
    x, reference = images(2, 2, 3, 33, 48).requires_grad_()
    expected = theirs(x, reference).flatten()
    gradients = torch.autograd.grad(expected.sum(), [x, reference])
    distance = ours(x, reference)
    torch.testing.assert_close(distance, expected, rtol=1e-5, atol=0)
    for gradient, other in zip(
        torch.autograd.grad(distance.sum(), [x, reference]),
        gradients,
        strict=True,
    ):
        scale = other.abs().max().item()
        torch.testing.assert_close(gradient, other, rtol=0, atol=1e-5 * scale)


def test_lpips_is_no_part_of_a_model(lpips):
    """Of its checkpoint, its parameters, its training."""
    model = nn.ModuleDict(dict(conv=nn.Conv2d(3, 3, 1), perceptual=lpips))
    state = model.state_dict()
    assert list(state) == ['conv.weight', 'conv.bias']
    assert [*model.parameters()] == [*model.conv.parameters()]
    assert not any(w.requires_grad for w in lpips.buffers())
    load_weights(model, state, 'model.pth')


def test_lpips_is_the_same_in_training(lpips):
    x, reference = images(2, 1, 3, 16, 16)
    expected = lpips.eval()(x, reference)
    lpips.train()
    for _ in range(2):
        assert torch.equal(lpips(x, reference), expected)


def test_dead_features_are_equal(reference, files, tmp_path):
    """They have length 0: 0 / 0 without the addend."""
    weights = reference.vgg_weights('loss_kl', slices=False)
    weights['features.28.weight'].zero_()
    weights['features.28.bias'].fill_(-1)
    path = str(tmp_path / 'vgg.pth')
    write_checkpoint(weights, path)
    x, reference = images(2, 1, 3, 16, 16)
    x.requires_grad_()
    distance = LPIPS(path, files['linear_weights'])(x, reference)
    distance.sum().backward()
    assert distance.isfinite().all()
    assert x.grad.isfinite().all()


def test_lpips_of_weights_in_half_precision(reference, lpips, files, tmp_path):
    path = str(tmp_path / 'vgg.safetensors')
    weights = reference.vgg_weights('loss_kl', slices=False)
    save_file({name: w.half() for name, w in weights.items()}, path)
    x, reference = images(2, 1, 3, 16, 16)
    rounded = LPIPS(path, files['linear_weights'])(x, reference)
    torch.testing.assert_close(rounded, lpips(x, reference), rtol=1e-2, atol=0)


def test_lpips_under_autocast_is_exact_after_the_convolutions(
    reference, lpips
):
    """Distances of their bfloat16 features, computed in float64."""
    features = []
    for stage in lpips.stages:
        stage.register_forward_hook(lambda *call: features.append(call[-1]))
    x, noise = images(2, 2, 3, 16, 16)
    with torch.autocast('cpu', torch.bfloat16):
        distance = lpips(x.bfloat16(), x + 0.1 * noise)
    assert {f.dtype for f in features} == {torch.bfloat16}
    assert distance.dtype == torch.float32
    units = [nn.functional.normalize(f.double(), dim=1) for f in features]
    weights = reference.linear_weights('loss_kl').values()
    expected = sum(
        ((ours - theirs).square() * weight).sum(1).mean((1, 2))
        for ours, theirs, weight in zip(
            units[::2], units[1::2], weights, strict=True
        )
    )
    torch.testing.assert_close(distance.double(), expected, rtol=1e-5, atol=0)


def test_lpips_scales_low_precision_images_in_float32(reference, lpips):
    x, reference = images(2, 1, 3, 16, 16).bfloat16()
    expected = lpips(x.float(), reference.float())
    assert torch.equal(lpips(x, reference), expected)


@pytest.mark.parametrize(
    'shape, remedy',
    [
        ((1, 3, 15, 32), '16 or more pixels per side, got .*15, 32.*Pyramid'),
        ((1, 3, 32, 15), '16 or more pixels'),
        ((1, 1, 32, 32), 'RGB images .*got .*1, 1, 32, 32'),
    ],
)
def test_lpips_refuses_images(lpips, shape, remedy):
    with pytest.raises(ValueError, match=remedy):
        lpips(images(*shape), images(*shape))


def test_missing_weights_are_told_at_once(no_files, tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        LPIPS()
    message = str(error.value)
    assert '\n' not in message
    for told in (
        f'{no_files}/vgg16-397923af.pth',
        'set model.perceptual.vgg_weights to',
        'https://download.pytorch.org/models/vgg16-397923af.pth',
        f'{no_files}/vgg_lpips_v0.1.pth',
        'set model.perceptual.linear_weights to',
        'PerceptualSimilarity/raw/master/lpips/weights/v0.1/vgg.pth',
        'model.perceptual=None',
        "dict(_delete_=True, type='LaplacianPyramidLoss')",
    ):
        assert told in message


def test_a_path_that_does_not_exist_is_not_replaced(no_files, files):
    """By what is in the cache."""
    shutil.copy(files['linear_weights'], no_files / 'vgg_lpips_v0.1.pth')
    with pytest.raises(FileNotFoundError) as error:
        LPIPS(files['vgg_weights'], '/nowhere/linear.pth')
    assert 'no /nowhere/linear.pth (set' in str(error.value)
    assert 'vgg_weights' not in str(error.value)


def test_weights_are_found_in_the_cache_of_torch(
    reference, no_files, files, monkeypatch
):
    """The VGG's name tells its hash: it is the one of another file here."""
    shutil.copy(files['linear_weights'], no_files / 'vgg_lpips_v0.1.pth')
    linear = reference.linear_weights('loss_kl').values()
    found = LPIPS(files['vgg_weights']).linear
    assert torch.equal(found, torch.cat([*linear], dim=1))
    shutil.copy(files['vgg_weights'], no_files / 'vgg16-397923af.pth')
    with pytest.raises(ValueError, match='not the 397923af in its name.*down'):
        LPIPS()


def test_a_file_with_its_hash_in_its_name_is_taken(files, tmp_path):
    with open(files['linear_weights'], 'rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    path = tmp_path / f'linear-{digest[:8]}.pth'
    shutil.copy(files['linear_weights'], path)
    assert LPIPS(files['vgg_weights'], str(path)).linear.any()


def test_linear_weights_are_found_in_the_package(
    reference, no_files, files, tmp_path, monkeypatch
):
    """Without importing it."""
    folder = tmp_path / 'lpips' / 'weights' / 'v0.1'
    folder.mkdir(parents=True)
    (tmp_path / 'lpips' / '__init__.py').write_text('raise RuntimeError')
    shutil.copy(files['linear_weights'], folder / 'vgg.pth')
    monkeypatch.delitem(sys.modules, 'lpips')
    monkeypatch.syspath_prepend(tmp_path)
    linear = reference.linear_weights('loss_kl').values()
    found = LPIPS(files['vgg_weights']).linear
    assert torch.equal(found, torch.cat([*linear], dim=1))


def test_other_weights_are_refused(reference, files, tmp_path):
    vgg, linear = files.values()
    with pytest.raises(
        ValueError,
        match="linear_weights='.*vgg.pth' does not hold the weights of "
        'https.*vgg.pth: 5 of 5 are .* the first is lin0.model.1.weight',
    ):
        LPIPS(vgg, vgg)
    weights = reference.vgg_weights('loss_kl', slices=False)
    weights['features.28.weight'] = torch.zeros(512, 256, 3, 3)
    path = str(tmp_path / 'vgg.pth')
    write_checkpoint(weights, path)
    with pytest.raises(ValueError, match='1 of 26 .*features.28.weight'):
        LPIPS(path, linear)


def build_pyramid(num_levels):
    return MODELS.build(
        dict(type='LaplacianPyramidLoss', num_levels=num_levels)
    )


def opencv_pyramid(image, num_levels):
    for _ in range(num_levels - 1):
        coarse = cv2.pyrDown(image)
        yield image - cv2.pyrUp(coarse, dstsize=image.shape[1::-1])
        image = coarse
    yield image


@pytest.mark.parametrize('num_levels', [1, 2, 4])
def test_pyramid_of_opencv(num_levels):
    x, reference = images(2, 2, 3, 32, 48)
    expected = [
        sum(
            np.abs(level).mean()
            for level in opencv_pyramid(
                np.ascontiguousarray(error.permute(1, 2, 0).numpy()),
                num_levels,
            )
        )
        for error in x - reference
    ]
    loss = build_pyramid(num_levels)(x, reference)
    assert loss.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('size', [(32, 48), (9, 9), (33, 18), (21, 35)])
@pytest.mark.parametrize('num_levels', [1, 2, 4])
def test_an_error_of_one_level_counts_once(num_levels, size):
    """A constant is in the coarsest alone, stripes in the finest."""
    reference = images(1, 3, *size)
    loss = build_pyramid(num_levels)
    shifted = loss(reference - 0.25, reference)
    assert shifted.item() == pytest.approx(0.25, rel=1e-5)
    stripes = 0.25 * (-1) ** torch.arange(size[1])
    striped = loss(reference + stripes, reference)
    assert striped.item() == pytest.approx(0.25, rel=1e-5)


def test_pyramid_of_white_noise():
    """What the docstring says."""
    noise = torch.randn(16, 3, 64, 64)
    loss = LaplacianPyramidLoss()(noise, torch.zeros_like(noise)).mean()
    assert loss / noise.abs().mean() == pytest.approx(1.35, abs=0.01)


def test_pyramid_of_equal_images():
    """No error, and no direction to go."""
    x = images(2, 3, 16, 16).requires_grad_()
    loss = LaplacianPyramidLoss()(x, x.detach())
    assert loss.tolist() == [0, 0]
    loss.sum().backward()
    assert not x.grad.any()


def test_gradient_of_the_pyramid():
    """Moving along it changes the error as much as it says."""
    x, reference = images(2, 1, 3, 16, 16)
    x.requires_grad_()
    loss = LaplacianPyramidLoss()
    (gradient,) = torch.autograd.grad(loss(x, reference).sum(), x)
    step = 1e-3 * gradient / gradient.norm()
    change = (loss(x + step, reference) - loss(x - step, reference)) / 2
    assert change.item() == pytest.approx(
        (gradient * step).sum().item(), rel=1e-2
    )


def test_pyramid_is_float32_under_autocast(reference):
    x, reference = images(2, 1, 3, 16, 16).bfloat16()
    loss = LaplacianPyramidLoss()
    expected = loss(x.float(), reference.float())
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(loss(x, reference), expected)


def test_pyramid_is_no_part_of_a_checkpoint():
    assert not LaplacianPyramidLoss().state_dict()


def test_images_too_small_for_the_pyramid_are_refused():
    for size in ((8, 16), (16, 8)):
        with pytest.raises(
            ValueError,
            match=r'num_levels=4 needs images of 9 or more pixels per side, '
            r'got .*8.*: set a smaller model.perceptual.num_levels',
        ):
            LaplacianPyramidLoss()(images(1, 3, *size), images(1, 3, *size))


def test_a_pyramid_without_levels_is_refused():
    with pytest.raises(ValueError, match='num_levels=0 must be positive'):
        LaplacianPyramidLoss(num_levels=0)


def test_images_of_two_shapes_are_refused(lpips):
    """They would be broadcast."""
    for loss in (lpips, LaplacianPyramidLoss()):
        with pytest.raises(ValueError, match=r'\(1, 3.* \(2, 3.*same shape'):
            loss(images(1, 3, 16, 16), images(2, 3, 16, 16))
