import pytest
import torch

from mmldm.evaluation import FrechetDistance
from mmldm.evaluation.patch_features import PatchFeatures
from mmldm.registry import DATASETS
from mmldm.structures import LDMDataSample

DIGITS = dict(
    type='DigitsDataset',
    split='train',
    size=16,
    indices=20,
    serialize_data=False,
    pipeline=[dict(type='PackInputs')],
)


@pytest.fixture
def coloured():
    """Images of 32x32, smooth enough to have few components."""
    coarse = torch.rand(40, 3, 8, 8)
    images = torch.nn.functional.interpolate(coarse, (32, 32), mode='bicubic')
    return [*(255 * images.clamp(0, 1)).byte()]


def drawn(images):
    return [LDMDataSample(pred_img=image) for image in images]


@pytest.fixture
def distance(coloured, real_set, judge):
    """Of images to the coloured ones, which a dataset gives."""
    real_set(coloured)

    def distance(images, batch_size=8):
        scores = judge(FrechetDistance({}), drawn(images), batch_size)
        assert [*scores] == ['frechet/distance']
        return scores['frechet/distance']

    return distance


@pytest.mark.parametrize('batch_size', [7, 40])
def test_real_images_are_at_distance_0(distance, coloured, batch_size):
    """In any order."""
    found = distance(coloured[::-1], batch_size)
    assert found == pytest.approx(0, abs=1e-8)


def test_the_less_is_left_the_greater_is_the_distance(distance, coloured):
    noise = torch.randint(256, (40, 3, 32, 32), dtype=torch.uint8)
    sets = (
        coloured,
        coloured[:30],
        [image.flip(0) for image in coloured[:30]],
        [*noise],
    )
    distances = [distance(images) for images in sets]
    assert distances == sorted(distances)


def test_it_takes_all_images_of_the_dataset(judge):
    dataset = DATASETS.build(DIGITS)
    pixels = [dataset[i]['inputs'] for i in range(len(dataset))]
    score = judge(FrechetDistance(DIGITS), drawn(pixels))
    assert score == {'frechet/distance': pytest.approx(0, abs=1e-8)}


def test_every_layout_component_of_the_real_images_has_variance_1(coloured):
    features = PatchFeatures(coloured)
    values = features(coloured)[:, : features.layouts.shape[1]]
    covariance = values.T.cov()
    torch.testing.assert_close(
        covariance, torch.eye(len(covariance), dtype=covariance.dtype)
    )
    assert values.mean(0).abs().max() < 1e-10


def test_patterns_do_not_see_colours_and_have_variance_1(coloured):
    """Of the patches of all places, on every level."""
    features = PatchFeatures(coloured)
    assert len(features.patterns) == 2  # 32 and 16 pixels
    x = torch.stack(coloured).double() / 255
    for patterns in features.patterns:
        filters = patterns.T.unflatten(1, (3, -1))
        assert filters.sum(2).abs().max() < 1e-4 * filters.abs().max()
        patches = torch.nn.functional.unfold(x, 5).transpose(1, 2)
        variances = (patches @ patterns).square().mean((0, 1))
        torch.testing.assert_close(
            variances, torch.ones_like(variances), rtol=1e-3, atol=0
        )
        x = torch.nn.functional.avg_pool2d(x, 2)


def test_few_components_hold_nearly_all_the_variance():
    """Stripes of one frequency and any phase have two patterns."""
    x = torch.arange(32) * 2 * torch.pi / 16
    phases = torch.rand(20, 1) * 2 * torch.pi
    stripes = 127 + 120 * (x + phases).sin()
    images = stripes[:, None, None].expand(-1, 3, 32, -1).round().byte()
    features = PatchFeatures([*images])
    assert features.patterns[0].shape == (75, 2)
    assert features.layouts.shape == (192, 2)


def test_blurred_images_are_far_in_texture_alone(coloured):
    """Their layout, of cells of 4x4 pixels, is kept."""
    features = PatchFeatures(coloured)
    x = torch.stack(coloured).float()
    cells = torch.nn.functional.avg_pool2d(x, 4)
    blurred = cells.repeat_interleave(4, 2).repeat_interleave(4, 3)
    change = features([*blurred.round().byte()]) - features(coloured)
    num_layouts = features.layouts.shape[1]
    assert change[:, :num_layouts].abs().max() < 0.2
    assert change[:, num_layouts:].mean(0).abs().max() > 0.4


@pytest.mark.parametrize(
    'sizes, message',
    [
        ([16, 16], r'shape \(3, 16, 16\), but .* \(3, 32, 32\): give both'),
        ([32], 'got 1 images, expected 2'),
    ],
)
def test_images_that_cannot_be_compared_are_refused(distance, sizes, message):
    images = [torch.zeros(3, s, s, dtype=torch.uint8) for s in sizes]
    with pytest.raises(ValueError, match=message):
        distance(images)


def test_images_too_small_for_patches_are_refused():
    with pytest.raises(ValueError, match=r'\(8, 8\): use larger images'):
        PatchFeatures([torch.zeros(3, 8, 8, dtype=torch.uint8)])
