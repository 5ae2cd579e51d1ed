import pytest
import torch
import torch.nn.functional as F
from skimage import data

from mmldm.models.conditioners.back_projection import back_project
from mmldm.utils.pixels import bicubic

SIDE = 96


@pytest.fixture
def photograph():
    """A photograph, (1, 3, H, W), and a quarter of it."""
    pixels = data.astronaut()[:SIDE, 150 : 150 + SIDE]
    small = bicubic(pixels, SIDE // 4, SIDE // 4)
    return as_batch(pixels), as_batch(small)


def as_batch(pixels):
    return torch.tensor(pixels).permute(2, 0, 1)[None]


def shrunk(images):
    """The images, (1, 3, H, W), made small by Pillow."""
    pixels = images[0].permute(1, 2, 0).numpy()
    return as_batch(bicubic(pixels, SIDE // 4, SIDE // 4))


def error(images, others):
    """Root of the mean squared difference, grey levels."""
    return F.mse_loss(images.float(), others.float()).sqrt().item()


def test_the_small_image_is_reached_step_by_step(photograph):
    _, small = photograph
    pale = torch.full((1, 3, SIDE, SIDE), 128, dtype=torch.uint8)
    errors = [
        error(shrunk(back_project(pale, small, n)), small) for n in (1, 2, 4)
    ]
    assert error(shrunk(pale), small) > 40
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]
    assert errors[2] < 2


def test_an_image_that_agrees_stays_as_it_is(photograph):
    image, small = photograph
    # The small image was rounded to whole grey levels.
    assert error(back_project(image, small, 3), image) < 0.7


def test_fine_detail_stays_and_colours_are_corrected(photograph):
    image, small = photograph
    place = torch.arange(SIDE)
    checks = (-1.0) ** (place + place[:, None])
    wrong = 0.8 * image.float() + 10 + 20 * checks
    found = back_project(wrong.clamp(0, 255).byte(), small, 3).float()
    # The checks are still there, and without them it is nearly the photograph.
    without, wanted, before = (
        F.avg_pool2d(x, 2) for x in (found, image.float(), wrong)
    )
    assert error(before, wanted) > 15
    assert error(without, wanted) < 5
    fine = ((found - image) * checks).mean()
    assert fine.item() == pytest.approx(20, abs=3)


def test_any_factor_is_possible(photograph):
    image, _ = photograph
    small = image[..., ::3, ::2]
    found = back_project(image, small, 1)
    assert found.shape == image.shape and found.dtype == torch.uint8
