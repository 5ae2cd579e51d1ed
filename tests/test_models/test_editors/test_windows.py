"""Large images of a model that sees a window at a time."""

import torch

from mmldm.structures import LDMDataSample

MAPS = dict(
    denoiser=dict(in_channels=9, context_dim=None),
    conditioner=dict(
        embedders=[
            dict(type='SemanticMap', num_classes=3, num_stages=1, embed_dim=2),
            dict(type='LowResolution'),
        ]
    ),
)


def test_the_denoiser_sees_windows_and_their_part_of_the_condition(tiny_ldm):
    model = tiny_ldm(**MAPS, windows=dict(type='Windows', size=4))
    classes = torch.randint(3, (1, 12, 24))
    place = dict(img_shape=(12, 24), address=(0, 0))
    sample = LDMDataSample(metainfo=place)
    sample.gt_sem_seg = classes
    sample.img_lq = torch.randint(256, (3, 6, 12), dtype=torch.uint8)
    whole = model.conditioner([sample]).spatial
    seen = []
    forward = model.denoiser.forward

    def spy(z_t, t, cond):
        seen.append(cond.spatial)
        return forward(z_t, t, cond)

    model.denoiser.forward = spy
    (drawn,) = model.predict(None, [sample])
    assert drawn.pred_img.shape == (3, 12, 24)
    boxes = model.windows.boxes((6, 12))
    steps = model.diffusion_scheduler.num_steps
    for cond, box in zip(seen, boxes * steps, strict=True):
        assert torch.equal(cond, whole[..., *box])


def test_a_window_as_large_as_the_image_changes_nothing(tiny_ldm, labelled):
    torch.manual_seed(0)
    model = tiny_ldm()
    samples = [labelled(3, address=(0, 0), img_shape=(8, 16))]
    whole = model.sample(samples)
    images = {}
    for size in (8, 4):
        torch.manual_seed(0)
        windowed = tiny_ldm(windows=dict(type='Windows', size=size))
        windowed.load_state_dict(model.state_dict())
        images[size] = windowed.sample(samples)
    assert torch.equal(images[8], whole)
    assert not torch.allclose(images[4], whole)
