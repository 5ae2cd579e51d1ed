import math

import pytest
import torch
from torch import nn

from mmldm.evaluation import InpaintingMetrics
from mmldm.evaluation.inpainting import hole_energy, membrane, telea
from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils.power_spectrum import power_spectrum


@pytest.fixture
def truths():
    """Images with a slope and noise, whose holes Telea fills imperfectly."""
    slope = torch.arange(0, 160, 10)[:, None] + torch.arange(0, 80, 5)
    noise = torch.randint(0, 15, (3, 3, 16, 16))
    return (slope + noise).byte()


@pytest.fixture
def masks():
    """A square, of a size that differs from image to image."""
    masks = torch.zeros(3, 1, 16, 16, dtype=torch.uint8)
    for i in range(3):
        masks[i, :, 4 : 6 + 2 * i, 4 : 6 + 2 * i] = 1
    return masks


@pytest.fixture
def filled(truths, masks):
    """Builds the sample of an image drawn for an entry."""

    def build(source, image):
        sample = LDMDataSample(
            metainfo=dict(source_idx=source), mask=masks[source]
        )
        sample.gt_img, sample.pred_img = truths[source], image
        return sample

    return build


@pytest.mark.parametrize('batch_size', [1, 2, 3])
def test_teleas_own_output_is_no_better_than_telea(
    judge, filled, truths, masks, batch_size
):
    samples = [filled(i, telea(truths[i], masks[i])) for i in range(3)]
    scores = judge(InpaintingMetrics(), samples, batch_size)
    reached = scores['inpaint/psnr_telea']
    assert 15 < reached < 50
    for name in ('psnr_mean', 'psnr_sample'):
        assert scores[f'inpaint/{name}'] == pytest.approx(reached)
    assert scores['inpaint/known_error'] == 0
    assert scores['inpaint/sharpness'] == scores['inpaint/sharpness_telea']


def test_the_truth_reaches_everything(judge, filled, truths):
    samples = [filled(i, truths[i]) for i in range(3)]
    scores = judge(InpaintingMetrics(), samples)
    assert scores['inpaint/psnr_mean'] == 100
    assert scores['inpaint/known_error'] == 0
    assert scores['inpaint/sharpness'] == 1


def test_telea_does_not_see_the_hole(truths, masks):
    other = torch.where(masks[2].bool(), 255 - truths[2], truths[2])
    assert telea(other, masks[2]).equal(telea(truths[2], masks[2]))


def test_a_membrane_continues_a_plane():
    """Its Laplacian is 0, at the border of the image too where it is flat."""
    rows, columns = torch.arange(16)[:, None], torch.arange(20)
    plane = (5 * rows + 3 * columns).expand(3, -1, -1).byte()
    mask = torch.zeros(1, 16, 20, dtype=torch.uint8)
    mask[:, 3:9, 5:14] = 1
    other = torch.where(mask.bool(), 0, plane)
    assert membrane(other, mask).equal(plane)
    stripes = (3 * columns).expand(3, 16, -1).byte()
    mask[:, :9] = mask[:, 8:9]
    hidden = torch.where(mask.bool(), 200, stripes)
    assert membrane(hidden, mask).equal(stripes)


@pytest.mark.parametrize('value', [0, 1])
def test_a_membrane_without_a_border_changes_nothing(truths, value):
    mask = torch.full((1, 16, 16), value, dtype=torch.uint8)
    assert membrane(truths[0], mask).equal(truths[0])


def test_sharpness_is_that_of_pairs_inside_the_hole():
    """Steps of 3 down and 4 to the right; a hole of 2 x 3 pixels."""
    rows, columns = torch.arange(8)[:, None], torch.arange(6)
    image = (3 * rows + 4 * columns).expand(3, -1, -1).byte()
    mask = torch.zeros(1, 8, 6, dtype=torch.uint8)
    mask[:, 2:4, 1:4] = 1
    assert hole_energy(image, mask) == 3 * (3 * 3**2 + 4 * 4**2)


class Mean(nn.Module):
    """Stands in for a network: difference of the means in [-1, 1]."""

    def forward(self, x, reference, places):
        error = (x - reference).mean(1, keepdim=True) * places
        return error.sum((1, 2, 3)).abs() / places.sum((1, 2, 3))


def test_features_of_holes_are_compared_with_the_fillings(
    judge, filled, truths, masks, monkeypatch
):
    """What is not in the hole does not count."""
    monkeypatch.setitem(MODELS.module_dict, 'Mean', Mean)
    metric = InpaintingMetrics(features=dict(type='Mean'))
    image = (truths[2] + 20 * masks[2]).byte()
    image[:, 0] = 255
    scores = judge(metric, [filled(2, image)])
    assert scores['inpaint/features_sample'] == pytest.approx(
        20 / 127.5, rel=1e-4
    )
    hole = masks[2][0].bool()
    for fill in (telea, membrane):
        error = fill(truths[2], masks[2]).double() - truths[2].double()
        assert scores[f'inpaint/features_{fill.__name__}'] == pytest.approx(
            abs(error[:, hole].mean().item()) / 127.5, rel=1e-3
        )


def test_each_filling_has_its_own_distances(judge, filled, truths, masks):
    """A filling that is given as a sample has that filling's numbers."""
    features = dict(
        type='PretrainedFeatures',
        network=dict(type='EfficientNetLiteStages', stages=(0, 2)),
    )
    for fill in (telea, membrane):
        samples = [filled(i, fill(truths[i], masks[i])) for i in range(3)]
        metric = InpaintingMetrics(features, patches=True)
        scores = judge(metric, samples)
        for kind in ('features', 'patches'):
            reached = scores[f'inpaint/{kind}_sample']
            assert reached == scores[f'inpaint/{kind}_{fill.__name__}'] > 0
        reached = scores['inpaint/sharpness']
        assert reached == scores[f'inpaint/sharpness_{fill.__name__}']


def test_the_mean_of_an_entrys_samples_is_judged(judge, filled, truths, masks):
    """Errors of 10 and 20 that agree add up, those that do not cancel."""
    hole = masks.int()
    samples = [
        filled(0, (truths[0] + 10 * hole[0]).byte()),
        filled(1, (truths[1] + 20 * hole[1]).byte()),
        filled(1, (truths[1] + 20 * hole[1]).byte()),
        filled(0, (truths[0] + 20 * hole[0]).byte()),
    ]
    decibels = {e: 20 * math.log10(255 / e) for e in (10, 15, 20)}
    scores = judge(InpaintingMetrics(), samples)
    assert scores['inpaint/psnr_mean'] == pytest.approx(
        (decibels[15] + decibels[20]) / 2
    )
    assert scores['inpaint/psnr_sample'] == pytest.approx(
        (decibels[10] + 3 * decibels[20]) / 4
    )


def test_only_the_hole_counts_and_a_touched_pixel_is_told(
    judge, filled, truths
):
    """The largest error of any image, in whichever direction."""
    touched = truths[1].clone()
    touched[2, 0, 0] = 255
    touched[0, 15, 15] -= 7
    samples = [filled(0, truths[0]), filled(1, touched)]
    scores = judge(InpaintingMetrics(), samples)
    assert scores['inpaint/psnr_mean'] == 100
    assert scores['inpaint/known_error'] == 255 - truths[1][2, 0, 0]


def test_spectra_are_those_of_the_square_with_the_hole(judge):
    """32 pixels of 48, where most of the hole is; all else is not seen."""
    truth = torch.randint(256, (3, 48, 48), dtype=torch.uint8)
    mask = torch.zeros(1, 48, 48, dtype=torch.uint8)
    mask[:, 10:, 16:] = 1
    mask[:, :2, :2] = 1
    sample = LDMDataSample(metainfo=dict(source_idx=0), mask=mask)
    sample.gt_img = truth
    sample.pred_img = torch.where(mask.bool(), 255 - truth, truth)
    metric = InpaintingMetrics()
    judge(metric, [sample])
    square = slice(None), slice(10, 42), slice(16, 48)
    for name, image in {
        'real images': truth,
        'output': 255 - truth,
        'telea': telea(truth, mask),
        'membrane': membrane(truth, mask),
    }.items():
        torch.testing.assert_close(
            metric.spectra.pop(name), power_spectrum(image[square])
        )
    assert not metric.spectra


@pytest.mark.parametrize('field', ['gt_img', 'mask', 'source_idx'])
def test_data_without_what_is_needed_are_refused(judge, filled, truths, field):
    sample = filled(0, truths[0])
    delattr(sample, field)
    with pytest.raises(ValueError, match=f'needs {field}'):
        judge(InpaintingMetrics(), [sample])
