import pytest
import torch
import torch.nn.functional as F

from mmldm.diffusion import add_noise
from mmldm.models.editors import image_editing
from mmldm.utils import SampleRandom


def spy(module):
    """The arguments of every call of the module, as they come."""
    calls = []
    module.register_forward_pre_hook(lambda _, args: calls.append(args))
    return calls


@pytest.fixture
def model(tiny_ldm):
    """Of factor 2 in the autoencoder, and 2 in the denoiser."""
    return tiny_ldm(
        denoiser=dict(channel_mults=(1, 1)),
        diffusion_scheduler=dict(
            time_grid=dict(_delete_=True, type='LogSNRGrid'), num_steps=4
        ),
        guidance=dict(type='ClassifierFreeGuidance', scale=2.0),
    )


@pytest.fixture
def samples(labelled):
    return [labelled(i, address=(0, i)) for i in (3, 7)]


@pytest.fixture
def images():
    return torch.rand(2, 3, 8, 12) * 2 - 1


@pytest.fixture
def mask():
    """Fills one pixel of the first, a corner of the second image."""
    mask = torch.zeros(2, 1, 8, 12)
    mask[0, 0, 5, 6] = 1
    mask[1, 0, 4:, 4:] = 1
    return mask


def decoded(model, monkeypatch):
    """The latents of every call of the decoder."""
    latents, decode = [], model.autoencoder.decode
    monkeypatch.setattr(
        model.autoencoder,
        'decode',
        lambda z, size=None: latents.append(z) or decode(z, size),
    )
    return latents


@pytest.mark.parametrize('strength, steps', [(1.0, 4), (0.5, 2), (0.01, 1)])
def test_a_variation_starts_from_the_noised_image(
    model, images, samples, strength, steps
):
    calls = spy(model.denoiser)
    model.vary(images, samples, strength)
    level = model.diffusion_scheduler.levels()[4 - steps]
    z_0 = model.autoencoder.encode(images)
    noise = SampleRandom.of(samples).normal('start')(z_0)
    z_t, t, _ = calls[0]
    assert len(calls) == steps
    torch.testing.assert_close(z_t[:2], add_noise(z_0, noise, level))
    assert t[0] == pytest.approx(float(level.t))


@pytest.mark.parametrize(
    'strength, said',
    [(0.6, 'rounded to 2 of them, which is strength=0.5'), (0.5, None)],
)
def test_a_rounded_strength_is_said(
    model, images, samples, monkeypatch, strength, said
):
    lines = []
    monkeypatch.setattr(
        image_editing, 'print_log', lambda text, **how: lines.append(text)
    )
    model.vary(images, samples, strength)
    assert len(lines) == (said is not None)
    assert said is None or lines[0].endswith(said)


def test_what_is_drawn_for_an_edit_follows_from_the_address(
    model, images, mask, labelled
):
    edits = [
        edit([labelled(3, address=(0, i)) for i in indices])
        for indices in ((1, 2), (1, 2), (3, 4))
        for edit in (
            lambda samples: model.vary(images, samples, 0.8),
            lambda samples: model.inpaint(images, mask, samples),
        )
    ]
    for first, same, other in (edits[::2], edits[1::2]):
        assert torch.equal(first, same)
        assert not torch.allclose(first, other, atol=1e-2)


def test_known_pixels_stay_bit_by_bit(model, images, mask, samples):
    filled = model.inpaint(images, mask, samples)
    hole = mask.bool().expand_as(images)
    assert torch.equal(filled[~hole], images[~hole])
    assert (filled[hole] != images[hole]).all()


def test_known_latents_steer_the_rest(
    model, images, mask, samples, monkeypatch
):
    """A latent is known where no pixel of it is to be filled."""
    latents = decoded(model, monkeypatch)
    calls = spy(model.denoiser)
    model.inpaint(images, mask, samples, num_passes=1)
    grey = images.masked_fill(mask.bool(), 0)
    z_known = model.autoencoder.encode(grey)
    same = (latents[0] - z_known).abs().amax(1) < 1e-5
    expected = torch.ones(2, 4, 6, dtype=torch.bool)
    expected[0, 2, 3] = False
    expected[1, 2:, 2:] = False
    assert torch.equal(same, expected)
    noise = SampleRandom.of(samples).normal('start')(z_known)
    level = model.diffusion_scheduler.levels()[0]
    start = add_noise(z_known * expected[:, None], noise, level)
    torch.testing.assert_close(calls[0][0][:2], start)


def test_the_second_pass_sees_what_the_first_has_filled_in(
    model, images, mask, samples, monkeypatch
):
    seen, encode = [], model.autoencoder.encode
    monkeypatch.setattr(
        model.autoencoder, 'encode', lambda x: seen.append(x) or encode(x)
    )
    once = model.inpaint(images, mask, samples, num_passes=1)
    seen.clear()
    model.inpaint(images, mask, samples)
    assert len(seen) == 2
    assert not seen[0].masked_select(mask.bool()).any()
    torch.testing.assert_close(seen[1], once)


def test_what_is_under_the_mask_does_not_matter(model, images, mask, samples):
    other = torch.where(mask.bool(), torch.rand_like(images), images)
    first, second = (model.inpaint(x, mask, samples) for x in (images, other))
    assert torch.equal(first, second)


@pytest.mark.parametrize('dtype', [torch.bool, torch.uint8, torch.float32])
def test_a_mask_may_be_of_any_type(model, images, mask, samples, dtype):
    expected = model.inpaint(images, mask, samples)
    assert torch.equal(
        model.inpaint(images, mask.to(dtype), samples), expected
    )


def test_an_image_is_gone_on_from_at_its_place(model, images, samples):
    padding = (1, 4, 2, 3)
    wide = model.outpaint(images, padding, samples)
    assert wide.shape == (2, 3, 8 + 5, 12 + 5)
    assert torch.equal(wide[..., 2:10, 1:13], images)
    mask = F.pad(torch.zeros(2, 1, 8, 12), padding, value=1)
    canvas = F.pad(images, padding)
    torch.testing.assert_close(wide, model.inpaint(canvas, mask, samples))


@pytest.mark.parametrize('size', [(8, 12), (7, 9), (1, 5)])
def test_images_have_any_size(model, samples, size):
    images = torch.rand(2, 3, *size) * 2 - 1
    mask = torch.ones(2, 1, *size)
    mask[..., 0] = 0
    assert model.vary(images, samples, 0.5).shape == images.shape
    assert model.inpaint(images, mask, samples).shape == images.shape


def test_sampling_leads_from_the_inverse_to_the_image(
    model, images, samples, gaussian, monkeypatch
):
    """Exactly, once it is iterated on; under the guidance of the model."""

    def predict(z, level, cond):
        told = cond.tokens.mean((1, 2))[:, None, None, None]
        return gaussian.denoise(z, level) + told

    monkeypatch.setattr(model, 'predict_z_0', predict)
    start = model.invert(images, samples, num_iters=200)
    z_0 = model.autoencoder.encode(images)
    torch.testing.assert_close(
        model.sample(samples, start=start), z_0, rtol=1e-3, atol=1e-3
    )


def test_the_iterations_of_an_inversion_arrive(model, images, samples):
    calls = spy(model.denoiser)
    model.invert(images, samples, num_iters=3)
    assert len(calls) == 4 * 3


def test_other_conditions_edit_an_inverted_image(model, images, labelled):
    samples = [labelled(3), labelled(3)]
    start = model.invert(images, samples)
    same, other = (
        model.sample([labelled(label)] * 2, start=start) for label in (3, 8)
    )
    assert not torch.allclose(same, other, atol=1e-2)


@pytest.mark.parametrize(
    'edit, message',
    [
        (
            lambda m, x, s, k: m.vary(x, s, 0),
            r'strength=0 must be in \(0, 1\]: near',
        ),
        (lambda m, x, s, k: m.vary(x, s[:1], 0.5), '2 images with 1 data'),
        (
            lambda m, x, s, k: m.vary((x * 127).byte(), s, 0.5),
            r'torch.uint8 .* floats in \[-1, 1\]',
        ),
        (
            lambda m, x, s, k: m.invert(x[:, :1], s),
            r'of shape \(2, 1, 8, 12\), but must be floats',
        ),
        (
            lambda m, x, s, k: m.inpaint(x, k[:, 0], s),
            r'mask has the shape \(2, 8, 12\) .* give \(2, 1, 8, 12\)',
        ),
        (
            lambda m, x, s, k: m.inpaint(x, 255 * k, s),
            r'values in \[0, 255\].*mask > 127',
        ),
        (lambda m, x, s, k: m.inpaint(x, 0 * k, s), 'mask is 0 everywhere'),
        (lambda m, x, s, k: m.inpaint(x, k, s, 0), 'num_passes=0 must be'),
        (
            lambda m, x, s, k: m.outpaint(x, (4, 4), s),
            r'padding=\(4, 4\) must be the new pixels \(left, right',
        ),
        (lambda m, x, s, k: m.outpaint(x, (4, -4, 0, 0), s), 'none negative'),
        (lambda m, x, s, k: m.outpaint(x, (0, 0, 0, 0), s), 'not all 0'),
    ],
)
def test_what_cannot_be_edited_is_refused(
    model, images, samples, mask, edit, message
):
    with pytest.raises(ValueError, match=message):
        edit(model, images, samples, mask)
