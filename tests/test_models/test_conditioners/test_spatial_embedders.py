import pytest
import torch
import torch.nn.functional as F

from mmldm.models.conditioners import (
    Conditioner,
    FilledImage,
    LowResolution,
    MaskedImage,
    SemanticMap,
)
from mmldm.models.conditioners.filling import fill_smoothly
from mmldm.structures import LDMDataSample

KEEP = torch.tensor([False, False])
DROP = torch.tensor([True, False])


def sample(name='a.png', **fields):
    return LDMDataSample(metainfo=dict(img_path=name), **fields)


def encode(images):
    """Something with 4 channels and a quarter of the size."""
    means = F.avg_pool2d(images, 4)
    return torch.cat([means, means[:, :1] + 0.5], dim=1)


def image(height=16, width=16):
    return torch.randint(256, (3, height, width), dtype=torch.uint8)


def classes(high=5, height=16, width=16):
    return torch.randint(high, (1, height, width))


def mask(height=16, width=16):
    return torch.randint(2, (1, height, width), dtype=torch.uint8)


MAP = dict(type='SemanticMap', num_classes=5, num_stages=2, embed_dim=3)
MASKED = dict(type='MaskedImage', latent_channels=4)
FILLED = dict(type='FilledImage', latent_channels=4)
LOW = dict(type='LowResolution')


def masked_sample(name='a.png'):
    return sample(name, gt_img=image(), mask=mask())


MADE = [
    (MAP, lambda: sample(gt_sem_seg=classes())),
    (MASKED, masked_sample),
    (FILLED, masked_sample),
    (LOW, lambda: sample(img_lq=image(4, 4))),
]


@pytest.mark.parametrize('config, make', MADE)
def test_what_is_dropped_is_null(config, make):
    samples = [make(), make()]
    conditioner = Conditioner([config])
    (embedder,) = conditioner.embedders
    kept = conditioner(samples, encode=encode).spatial
    null = conditioner.null(samples, encode).spatial
    dropped = embedder(samples, DROP, encode)
    assert torch.equal(dropped[0], null[0])
    assert torch.equal(dropped[1], kept[1])
    assert not torch.equal(kept[0], null[0])
    assert torch.equal(null[0], null[1])
    assert null.shape == (2, conditioner.dim('spatial'), 4, 4)


@pytest.mark.parametrize('num_stages', [0, 1, 2])
def test_a_map_is_one_channel_a_class_halved_and_mapped(num_stages):
    """In the order of the original."""
    embedder = SemanticMap(5, num_stages, 3)
    maps = torch.stack([classes(), classes()])
    samples = [sample(gt_sem_seg=m) for m in maps]
    x = F.one_hot(maps[:, 0], 5).permute(0, 3, 1, 2).float()
    for _ in range(num_stages):
        x = F.interpolate(x, scale_factor=0.5, mode='bilinear')
    expected = F.conv2d(x, embedder.linear.weight[..., None, None])
    torch.testing.assert_close(embedder(samples, KEEP), expected)


def test_maps_of_bytes_are_read_too():
    embedder = SemanticMap(5, 1, 3)
    whole = classes()
    long, byte = (
        embedder([sample(gt_sem_seg=m)], KEEP[:1])
        for m in (whole, whole.to(torch.uint8))
    )
    assert torch.equal(long, byte)


def test_nothing_anywhere_is_zero():
    embedder = SemanticMap(5, 2, 3)
    null = embedder([sample(gt_sem_seg=classes())], ~KEEP[:1])
    assert not null.any()


def test_the_map_learns():
    embedder = SemanticMap(5, 2, 3)
    embedder([sample(gt_sem_seg=classes())], KEEP[:1]).sum().backward()
    assert embedder.linear.weight.grad.all()


def test_a_map_of_any_size_is_as_large_as_the_latent():
    """Which rounds up, and repeats the last row and column for that."""
    embedder = SemanticMap(5, 2, 3)
    short = classes(height=13, width=16)
    whole = torch.cat([short, short[:, -1:].expand(1, 3, 16)], dim=1)
    found, expected = (
        embedder([sample(gt_sem_seg=m)], KEEP[:1]) for m in (short, whole)
    )
    torch.testing.assert_close(found, expected)


def test_a_hole_is_black_and_marked():
    samples = [masked_sample(), masked_sample()]
    found = MaskedImage(4)(samples, KEEP, encode)
    images = torch.stack([s.gt_img for s in samples]) / 127.5 - 1
    masks = torch.stack([s.mask for s in samples]).bool()
    latents = encode(torch.where(masks, -1.0, images))
    torch.testing.assert_close(found[:, :4], latents)
    marks = 2 * masks[:, :, ::4, ::4].float() - 1
    torch.testing.assert_close(found[:, 4:], marks)


def test_masks_may_be_bool():
    whole = masked_sample()
    other = sample(gt_img=whole.gt_img, mask=whole.mask.bool())
    embedder = MaskedImage(4)
    assert torch.equal(
        embedder([whole], KEEP[:1], encode),
        embedder([other], KEEP[:1], encode),
    )


@pytest.mark.parametrize('kind', [MaskedImage, FilledImage])
def test_what_is_in_the_hole_does_not_matter(kind):
    given = masked_sample()
    black = sample(gt_img=given.gt_img * (1 - given.mask), mask=given.mask)
    embedder = kind(4)
    assert torch.equal(
        embedder([given], KEEP[:1], encode),
        embedder([black], KEEP[:1], encode),
    )


def test_all_hole_is_a_black_image_and_a_full_mask():
    null = MaskedImage(4)([masked_sample()], ~KEEP[:1], encode)
    torch.testing.assert_close(null[:, :4], encode(-torch.ones(1, 3, 16, 16)))
    assert (null[:, 4] == 1).all()


def test_a_hole_is_filled_and_its_share_marked():
    samples = [masked_sample(), masked_sample()]
    found = FilledImage(4)(samples, KEEP, encode)
    images = torch.stack([s.gt_img for s in samples]) / 127.5 - 1
    masks = torch.stack([s.mask for s in samples])
    latents = encode(fill_smoothly(images, masks.bool()))
    torch.testing.assert_close(found[:, :4], latents)
    shares = F.avg_pool2d(masks.float(), 4)
    torch.testing.assert_close(found[:, 4:], 2 * shares - 1)


def test_all_hole_is_a_grey_image_and_a_full_mask():
    null = FilledImage(4)([masked_sample()], ~KEEP[:1], encode)
    torch.testing.assert_close(null[:, :4], encode(torch.zeros(1, 3, 16, 16)))
    assert (null[:, 4] == 1).all()


def test_a_small_image_is_told_as_it_is():
    samples = [sample(img_lq=image(4, 6)), sample(img_lq=image(4, 6))]
    found = LowResolution()(samples, KEEP)
    images = torch.stack([s.img_lq for s in samples])
    torch.testing.assert_close(((found + 1) * 127.5).round().byte(), images)
    assert found.min() >= -1 and found.max() <= 1
    assert not LowResolution()(samples, ~KEEP).any()


def test_a_small_image_may_be_of_one_channel():
    grey = sample(img_lq=image(4, 4)[:1])
    assert LowResolution(channels=1)([grey], KEEP[:1]).shape == (1, 1, 4, 4)


def test_back_projection_of_other_images_than_rgb_is_refused():
    with pytest.raises(ValueError, match='back_projections=2 .*channels=1'):
        LowResolution(channels=1, back_projections=2)
    with pytest.raises(ValueError, match='back_projections=-1 must be'):
        LowResolution(back_projections=-1)


@pytest.mark.parametrize('config, make', MADE)
def test_conditions_follow_the_model_to_its_precision(config, make):
    conditioner = Conditioner([config]).to(torch.bfloat16)
    spatial = conditioner([make()], encode=encode).spatial
    assert spatial.dtype == torch.bfloat16


@pytest.mark.parametrize('config, make', MADE)
def test_conditions_follow_the_model_to_its_device(config, make):
    """Samples stay on the CPU; one without memory shows what does not."""
    (embedder,) = Conditioner([config]).to('meta').embedders
    assert embedder([make(), make()], DROP, encode).is_meta


def sized(height, width, **fields):
    found = sample(**fields)
    found.set_metainfo(dict(img_shape=(height, width)))
    return found


@pytest.mark.parametrize(
    'config, samples, message',
    [
        (MAP, [sample()], 'a.png has no gt_sem_seg, which SemanticMap needs'),
        (MASKED, [sample(gt_img=image())], 'a.png has no mask'),
        (LOW, [sample()], 'a.png has no img_lq'),
        (
            MAP,
            [
                sample(gt_sem_seg=classes(), name='b'),
                sample(gt_sem_seg=5 + classes(1)),
            ],
            r'gt_sem_seg of a.png has the class 5, which is not in \[0, 5\)',
        ),
        (MAP, [sample(gt_sem_seg=classes() - 5)], 'has the class -5'),
        (
            MAP,
            [sized(8, 16, gt_sem_seg=classes())],
            'gt_sem_seg of a.png is 16x16, but its image is 8x16',
        ),
        (
            MAP,
            [sample(gt_sem_seg=classes()[0])],
            r'gt_sem_seg of a.png has the shape \(16, 16\), .* \(1, H, W\)',
        ),
        (
            MAP,
            [sample(gt_sem_seg=classes().float())],
            'gt_sem_seg of a.png is torch.float32, but must be uint8 or int16',
        ),
        (
            MASKED,
            [sample(gt_img=image(), mask=mask(8, 16))],
            'mask of a.png is 8x16, but its image is 16x16',
        ),
        (
            MASKED,
            [sized(8, 8, gt_img=image(), mask=mask())],
            'gt_img of a.png is 16x16, but its image is 8x8',
        ),
        (
            MASKED,
            [sample(gt_img=image(), mask=255 * (1 - 0 * mask()))],
            'mask of a.png has the value 255.*threshold it',
        ),
        (
            MASKED,
            [sample(gt_img=image() / 255, mask=mask())],
            'gt_img of a.png is torch.float32, but must be uint8',
        ),
        (
            LOW,
            [sample(img_lq=image(4, 4)[:1])],
            r'img_lq of a.png has the shape \(1, 4, 4\), but must be \(3, H',
        ),
        (
            LOW,
            [sample('b', img_lq=image(4, 4)), sample(img_lq=image(4, 6))],
            'img_lq of a.png is 4x6, that of b is 4x4',
        ),
    ],
)
def test_what_is_wrong_is_named(config, samples, message):
    with pytest.raises(ValueError, match=message):
        Conditioner([config])(samples, encode=encode)


def test_a_masked_image_needs_an_encoder():
    with pytest.raises(ValueError, match='encode=model.autoencoder.encode'):
        Conditioner([MASKED])([masked_sample()])
