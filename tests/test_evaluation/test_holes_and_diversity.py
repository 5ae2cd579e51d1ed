"""Metrics of holes, and of several images for one condition."""

import pytest
import torch
from torch import nn

from mmldm.evaluation import HoleMetrics, LPIPSDiversity
from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample

SIDE = 64
PIXELS = dict(type='ReconstructionMetrics')


class Distance(nn.Module):
    """Stands in for LPIPS: mean absolute difference."""

    def forward(self, x, other):
        assert x.min() >= -1 and x.max() <= 1
        return (x - other).abs().mean((1, 2, 3))


@pytest.fixture(autouse=True)
def distance(monkeypatch):
    monkeypatch.setitem(MODELS.module_dict, 'Distance', Distance)


def inpainted(share, error, rows=slice(None)):
    """A sample with a hole over some columns, and an error in the hole."""
    mask = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    mask[:, rows, : round(share * SIDE)] = 1
    truth = torch.randint(0, 200, (3, SIDE, SIDE))
    sample = LDMDataSample(mask=mask)
    sample.gt_img = truth.byte()
    sample.pred_img = (truth + error * mask).byte()
    return sample


def test_only_holes_of_the_size_count(judge):
    samples = [inpainted(0.25, 50), inpainted(0.45, 10), inpainted(0.48, 10)]
    found = judge(HoleMetrics(PIXELS, 0.4, 0.5), samples)
    wanted = judge(HoleMetrics(PIXELS), samples[1:])
    assert found == wanted and found['hole/num_images'] == 2
    none = judge(HoleMetrics(PIXELS, 0.9), samples)
    assert none == {'hole/num_images': 0}


def test_the_box_around_the_hole_is_compared(judge):
    """An error of 10 in all of it is 28.13 dB."""
    samples = [inpainted(0.5, 10, slice(10, 50))]
    found = judge(HoleMetrics(PIXELS, crop=True), samples)
    assert found['hole/psnr'] == pytest.approx(28.131, abs=1e-3)
    assert judge(HoleMetrics(PIXELS), samples)['hole/psnr'] > 31


@pytest.mark.parametrize('place', [0, 30, 60])
def test_a_small_hole_gets_a_box_that_networks_can_see(judge, place):
    """Of 32 pixels, inside of the image."""
    sample = inpainted(0, 0)
    sample.mask[:, place : place + 4, place : place + 4] = 1
    error = sample.mask.int().expand(3, -1, -1) * 20
    sample.pred_img = (sample.gt_img.int() + error).byte()
    found = judge(HoleMetrics(PIXELS, crop=True), [sample])['hole/psnr']
    whole = judge(HoleMetrics(PIXELS), [sample])['hole/psnr']
    assert found == pytest.approx(whole - 6.0206, abs=1e-3)


def test_an_image_without_mask_is_refused(judge):
    sample = inpainted(0.5, 0)
    del sample.mask
    with pytest.raises(ValueError, match='needs mask.*RandomMask'):
        judge(HoleMetrics(PIXELS), [sample])


def test_shares_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match='HoleMetrics.most'):
        HoleMetrics(PIXELS, 0.5, 0.4)


def drawn(source, grey):
    sample = LDMDataSample(metainfo=dict(source_idx=source))
    sample.pred_img = torch.full((3, 8, 8), grey, dtype=torch.uint8)
    return sample


def test_diversity_is_the_mean_over_the_pairs_of_an_entry(judge):
    """Of 0, 51, 102: 0.4, 0.8, 0.4; other entries are not compared."""
    samples = [drawn(0, 0), drawn(1, 255), drawn(0, 51), drawn(1, 255)]
    samples.append(drawn(0, 102))
    found = judge(LPIPSDiversity(dict(type='Distance')), samples)
    wanted = (0.4 + 0.8 + 0.4 + 0) / 4
    assert found['diversity/lpips'] == pytest.approx(wanted, abs=1e-6)


def test_one_sample_of_an_entry_has_no_diversity(judge):
    with pytest.raises(ValueError, match='samples_per_entry=2'):
        judge(LPIPSDiversity(dict(type='Distance')), [drawn(0, 0)])
