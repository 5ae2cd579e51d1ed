import pytest
import torch

from mmldm.models.conditioners.filling import blend, fill_smoothly


@pytest.fixture
def hole():
    mask = torch.zeros(1, 1, 32, 48, dtype=torch.bool)
    mask[..., 6:20, 10:31] = True
    return mask


def ramp(height=32, width=48):
    """Harmonic: a plane that rises to the right and falls downwards."""
    y, x = torch.meshgrid(
        torch.linspace(1, -0.5, height),
        torch.linspace(-1, 1, width),
        indexing='ij',
    )
    return torch.stack([x, y, (x + y) / 2])[None]


def test_what_is_known_stays(hole):
    images = torch.randn(1, 3, 32, 48)
    filled = fill_smoothly(images, hole)
    assert torch.equal(
        filled[~hole.expand(1, 3, -1, -1)], images[~hole.expand(1, 3, -1, -1)]
    )


def test_what_is_hidden_is_not_looked_at(hole):
    images = torch.randn(1, 3, 32, 48)
    hidden = images.masked_fill(hole, torch.nan)
    assert torch.equal(
        fill_smoothly(hidden, hole), fill_smoothly(images, hole)
    )


def test_one_colour_is_continued(hole):
    images = torch.full((1, 3, 32, 48), 0.3).masked_fill(hole, 9)
    filled = fill_smoothly(images, hole)
    torch.testing.assert_close(filled, torch.full_like(filled, 0.3))


def test_a_plane_is_continued(hole):
    """It solves the equation, nearer than the mean of what is around."""
    plane = ramp()
    error = (fill_smoothly(plane, hole) - plane).abs().max()
    around = plane.masked_select(~hole).mean()
    assert error < 0.06 < 0.3 < (plane - around).abs().max()


def test_nothing_beyond_what_is_around(hole):
    images = torch.rand(1, 3, 32, 48)
    filled = fill_smoothly(images, hole)
    assert filled.min() >= images.min() and filled.max() <= images.max()


def test_a_thin_gap_is_the_mean_of_both_sides():
    images = torch.zeros(1, 1, 8, 8)
    images[..., 5:] = 1
    hole = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    hole[..., 4] = True
    filled = fill_smoothly(images, hole)
    middle = torch.full((1, 1, 8), 0.5)
    torch.testing.assert_close(filled[..., 4], middle, rtol=0, atol=0.03)


def test_samples_and_channels_are_filled_by_themselves(hole):
    images = torch.randn(2, 2, 32, 48)
    holes = torch.cat([hole, hole.flip(3)])
    filled = fill_smoothly(images, holes)
    for i in range(2):
        for k in range(2):
            alone = fill_smoothly(
                images[i : i + 1, k : k + 1], holes[i : i + 1]
            )
            torch.testing.assert_close(filled[i : i + 1, k : k + 1], alone)


def test_without_a_known_pixel_all_is_zero():
    images = torch.randn(1, 3, 5, 7)
    holes = torch.ones(1, 1, 5, 7, dtype=torch.bool)
    assert not fill_smoothly(images, holes).any()


@pytest.fixture
def holed():
    """A smooth image, (1, 3, H, W), detail for it, and a hole in it."""
    place = torch.arange(32.0)
    smooth = (60 + 2 * place + place[:, None]).expand(1, 3, 32, 32)
    detail = 15 * (-1.0) ** (place + place[:, None])
    hole = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    hole[..., 10:22, 8:20] = True
    return smooth, detail, hole


def test_a_blended_hole_has_the_colours_around_it_and_its_own_detail(holed):
    smooth, detail, hole = holed
    known = smooth.byte()
    # As a model's image whose colours are wrong, more on one side.
    shift = torch.linspace(-30, -10, 32)
    generated = (smooth + shift + detail * hole).byte()
    found = blend(generated, known, hole).float()
    inside = hole.expand_as(found)
    error = (found - smooth - detail)[inside]
    assert (generated - smooth - detail)[inside].abs().mean() > 15
    assert error.abs().mean() < 3


def test_an_image_without_known_pixels_stays_as_it_is(holed):
    smooth, _, hole = holed
    image = smooth.byte()
    other = torch.zeros_like(image)
    assert blend(image, other, torch.ones_like(hole)).equal(image)
