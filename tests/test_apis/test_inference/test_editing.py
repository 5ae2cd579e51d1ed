"""Edits of a picture through the inferencer."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmldm.apis import LatentDiffusionInferencer
from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
from mmldm.utils.pixels import to_unit_range


def pixels(images):
    return [np.asarray(image) for image in images]


def as_given(picture, count=1):
    """A picture as the model takes it, (count, 3, H, W)."""
    image = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    return to_unit_range(image).expand(count, -1, -1, -1)


def as_array(images):
    return to_images(images).permute(0, 2, 3, 1).numpy()


@pytest.fixture
def samples(labelled):
    return [labelled(3, (5, i), img_shape=(8, 16)) for i in (0, 1)]


def test_variations_are_those_of_the_model(generate, model, picture, samples):
    expected = as_array(model.vary(as_given(picture, 2), samples, 0.5))
    found = generate.vary(picture, 0.5, label=3, num=2, seed=5)
    assert np.array_equal(pixels(found), expected)
    assert (pixels(found)[0] != pixels(found)[1]).any()
    one_by_one = generate.vary(
        picture, 0.5, label=3, num=2, seed=5, batch_size=1
    )
    assert abs(np.stack(pixels(one_by_one)).astype(int) - expected).max() <= 1


def test_strength_in_a_call_starts_from_the_image(generate, picture):
    found = generate(image=picture, strength=0.5, label=3)
    assert np.array_equal(
        pixels(found), pixels(generate.vary(picture, 0.5, label=3))
    )
    assert found[0].info['mmldm'] == dict(
        edit='vary',
        strength=0.5,
        label=3,
        size=[8, 16],
        seed=0,
        number=0,
    )


def test_an_edit_samples_as_it_is_asked_to(generate, picture):
    heard = []
    generate.vary(
        picture,
        label=3,
        steps=4,
        strength=0.75,
        solver='Heun',
        callback=lambda count, z_0: heard.append(z_0.shape[-2:]),
    )
    # Heun's last step, to the clean level, needs one evaluation.
    assert heard == [(4, 8)] * 5


def test_a_part_is_filled_and_the_rest_stays(
    generate, model, picture, mask, samples
):
    (found,) = pixels(generate.inpaint(picture, mask, label=3, seed=5))
    hole = torch.from_numpy(np.array(mask) > 127)[None, None]
    wanted = model.inpaint(as_given(picture), hole, samples[:1])
    assert np.array_equal(found, as_array(wanted)[0])
    known = np.asarray(picture)[:, :10]
    assert np.array_equal(found[:, :10], known)
    assert (found[:, 10:] != np.asarray(picture)[:, 10:]).any()
    boxed = generate.inpaint(picture, box=(10, 0, 16, 8), label=3, seed=5)
    assert np.array_equal(pixels(boxed)[0], found)
    once = generate.inpaint(picture, mask, passes=1, label=3, seed=5)
    assert (pixels(once)[0] != found).any()


def test_masks_may_be_soft_transparent_or_numbers(generate, picture, mask):
    def filled(mask):
        return pixels(generate.inpaint(picture, mask, label=3))[0]

    wanted, white = filled(mask), np.array(mask)
    # Transparent pixels are kept, whatever their colour.
    alpha = Image.fromarray(np.full((8, 16, 3), 255, np.uint8))
    alpha.putalpha(mask)
    assert np.array_equal(filled(alpha), wanted)
    assert np.array_equal(filled(white > 0), wanted)
    assert np.array_equal(filled(white // 255), wanted)
    assert np.array_equal(filled(torch.from_numpy(white)[None]), wanted)
    soft = np.where(white, 0.7, 0.2)
    assert np.array_equal(filled(soft), wanted)
    assert np.array_equal(
        filled(Image.fromarray(np.uint8(255 * soft))), wanted
    )


def test_a_soft_mask_is_logged_in_one_line(generate, picture, mask, logged):
    soft = np.where(np.array(mask), 180, 30).astype(np.uint8)
    generate.inpaint(picture, Image.fromarray(soft), label=3)
    (line,) = [text for text in logged() if 'grey' in text]
    assert 'count as white above 127' in line


def test_a_picture_grows_on_the_side_that_is_asked_for(generate, picture):
    (found,) = pixels(generate.outpaint(picture, left=3, bottom=5, label=3))
    assert found.shape == (13, 19, 3)
    assert np.array_equal(found[:8, 3:], np.asarray(picture))


def test_an_inverted_picture_is_generated_with_other_conditions(
    generate, model, picture, samples
):
    samples[0].set_metainfo(dict(address=(0, 0)))
    z = model.invert(as_given(picture), samples[:1], 3)
    samples[0].set_gt_label(8)
    edited = model.autoencoder.decode(model.sample(samples[:1], start=z))
    found = generate.invert(picture, 3, label=3, to_label=[8, 5])
    assert len(found) == 3
    assert np.array_equal(pixels(found)[1], as_array(edited)[0])
    assert [i.info['mmldm']['label'] for i in found] == [3, 8, 5]


def test_an_inverted_picture_takes_the_arguments_of_every_edit(
    generate, picture
):
    heard = []
    (found,) = generate.invert(
        picture,
        label=3,
        steps=2,
        batch_size=1,
        callback=lambda count, z_0: heard.append(count),
        return_datasamples=True,
        exact=True,
    )
    assert found.label == 3
    assert len(heard) >= 4  # the way to the noise, and back


def test_an_upscaled_picture_follows_it_by_weight(tiny_ldm, picture):
    model = tiny_ldm(
        image_size=8,
        autoencoder=dict(_delete_=True, type='IdentityAutoencoder'),
        denoiser=dict(in_channels=3, out_channels=3),
    )
    generate = LatentDiffusionInferencer(model)
    error = []
    for weight in (0, 0.03):
        (found,) = pixels(
            generate.upscale(picture, 2, weight, label=3, steps=20)
        )
        assert found.shape == (16, 32, 3)
        small = found.reshape(8, 2, 16, 2, 3).mean((1, 3))
        error.append(np.abs(small - picture).mean())
    assert error[1] < error[0]


def test_a_picture_is_scaled_first(generate, picture, mask):
    assert generate.vary(picture, label=3, size=12)[0].size == (24, 12)
    (found,) = pixels(generate.inpaint(picture, mask, label=3, size=16))
    assert found.shape == (16, 32, 3)


def test_a_model_that_reads_image_and_mask_fills_as_trained(
    filler, picture, mask
):
    wanted = pixels(filler(image=picture, mask=mask, seed=1))
    found = pixels(filler.inpaint(picture, mask, seed=1))
    assert np.array_equal(found, wanted)
    (wide,) = pixels(filler.outpaint(picture, right=8))
    assert np.array_equal(wide[:, :16], np.asarray(picture))
    with pytest.raises(ValueError, match='image is not available for vary'):
        filler.vary(picture)


@pytest.mark.parametrize(
    'edit, arguments, message',
    [
        ('vary', dict(), 'gt_label is missing: give label'),
        ('vary', dict(label=3, strength=2), 'strength=2 must be in'),
        ('vary', dict(label=3, strength=float('nan')), 'strength=nan must'),
        ('vary', dict(label=30), 'label=30 is unknown'),
        ('vary', dict(label=3, num=0), 'num=0 must be'),
        ('vary', dict(label=3, size=0), 'size=0 must be'),
        ('vary', dict(label=3, lable=2), 'lable is unknown'),
        ('inpaint', dict(label=3), 'give one of mask and box'),
        ('inpaint', dict(label=3, box=(20, 0, 30, 8)), r'box=\(20, 0, 30, 8'),
        ('inpaint', dict(label=3, box=(0, 0, 4)), r'box=\(0, 0, 4\) must be'),
        ('inpaint', dict(label=3, mask='no.png'), r'mask: .*no.png'),
        ('inpaint', dict(label=3, mask=np.eye(8)), 'mask has 8x8 pixels, but'),
        ('inpaint', dict(label=3, mask=np.zeros((8, 16))), 'mask is 0 every'),
        ('inpaint', dict(label=3, mask=np.full((8, 16), 2.0)), 'mask: a mask'),
        ('inpaint', dict(label=3, box=(0, 0, 4, 4), passes=0), 'passes=0'),
        ('outpaint', dict(label=3), 'left, right, top and bottom are 0'),
        ('outpaint', dict(label=3, left=-1), 'left=-1 must be'),
        ('outpaint', dict(label=3, left=1.5), 'left=1.5 must be a whole'),
        ('upscale', dict(label=3, factor=0), 'factor=0 must be'),
        ('upscale', dict(label=3, weight=-1), 'weight=-1 must be'),
        ('invert', dict(label=3, num=2), 'num has no effect with invert'),
        ('invert', dict(label=3, iterations=0), 'iterations=0 must be'),
        ('invert', dict(label=3, to_label=99), 'label=99 is unknown'),
        ('invert', dict(label=[3, 4]), 'label and prompt are those of the'),
    ],
)
def test_a_mistake_names_its_argument(
    generate, picture, edit, arguments, message
):
    with pytest.raises((ValueError, OSError), match=message) as error:
        getattr(generate, edit)(picture, **arguments)
    assert '\n' not in str(error.value)


def test_an_edit_needs_an_image(generate):
    with pytest.raises(ValueError, match='image is missing'):
        generate(strength=0.5, label=3)
    with pytest.raises(ValueError, match='image: expected uint8 RGB'):
        generate.vary(np.zeros((8, 8)), label=3)
