import copy

import pytest
import torch
from PIL import Image

from mmldm.evaluation import NearestImage
from mmldm.evaluation.patch_features import PatchFeatures
from mmldm.evaluation.sharpness import feature_distance

SIDE = 32


def smooth(count, seed=0):
    """Random images with large shapes, uint8 (N, 3, H, W)."""
    random = torch.Generator().manual_seed(seed)
    noise = torch.rand(count, 3, 8, 8, generator=random)
    large = torch.nn.functional.interpolate(noise, SIDE, mode='bilinear')
    return (255 * large).byte()


def folder_of(root, captions, images):
    """Config of a folder of images with these captions."""
    for i, (caption, image) in enumerate(zip(captions, images, strict=True)):
        path = root / f'{i:02}.png'
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
        path.with_suffix('.txt').write_text(f'{caption}\n')
    return dict(
        type='ImageFolder',
        data_root=str(root),
        size=SIDE,
        annotations=[dict(type='CaptionFiles')],
        pipeline=[
            dict(type='LoadImage'),
            dict(type='ChooseCaption', random=False),
            dict(type='PackInputs'),
        ],
    )


def judged(metric, images, captions):
    samples = [
        dict(pred_img=image, caption=caption)
        for image, caption in zip(images, captions, strict=True)
    ]
    metric.process({}, samples)
    return metric.evaluate(len(samples))


@pytest.fixture
def metric(tmp_path):
    """With ten images, and a copy of the first under another name."""
    images = smooth(10)
    names = [*'abcdefghij', 'copy of a']
    return NearestImage(folder_of(tmp_path, names, [*images, images[0]]))


def test_real_images_are_found_and_copies_count_as_one(metric):
    images = smooth(10)
    found = judged(metric, [*images, images[0]], [*'abcdefghij', 'copy of a'])
    assert found == {
        'nearest/features_top1': 1,
        'nearest/features_top5': 1,
        'nearest/patches_top1': 1,
        'nearest/patches_top5': 1,
        'nearest/pictures': 10,
    }


def test_another_image_is_not_the_one_that_was_asked_for(metric):
    images = smooth(10)
    found = judged(metric, images, [*'bcdefghija'])
    assert found['nearest/features_top1'] == found['nearest/patches_top1'] == 0


def test_ranks_are_those_of_the_distances_one_by_one(metric):
    """As FeatureDistance measures them."""
    real, other = smooth(10), smooth(6, seed=1)
    wanted = [3, 1, 4, 1, 5, 9]
    ranks = metric.real.ranks(other, ['abcdefghij'[i] for i in wanted])
    patches = PatchFeatures([*real])
    scale = patches([*real]).std(0).clamp(min=1e-6)
    rows = [patches([*images]) / scale for images in (real, other)]
    for i, image in enumerate(other):
        network = metric.real.distance
        far = [feature_distance(network, image, truth) for truth in real]
        nearer = sum(distance < far[wanted[i]] for distance in far)
        assert ranks[i]['features'] == nearer
        far = (rows[0] - rows[1][i]).square().sum(1)
        assert ranks[i]['patches'] == int((far < far[wanted[i]]).sum())
    assert len({rank['features'] for rank in ranks}) > 2


def test_the_nearest_image_of_a_shared_name_is_the_right_one(tmp_path):
    images = smooth(10)
    names = [*'abcdefgh', 'same', 'same']
    metric = NearestImage(folder_of(tmp_path, names, images))
    found = judged(metric, images[8:], ['same', 'same'])
    assert found['nearest/features_top1'] == found['nearest/patches_top1'] == 1


def test_shares_of_the_first_and_of_the_first_five(metric):
    ranks = [dict(features=n, patches=9) for n in (0, 0, 1, 4, 5, 100)]
    found = metric.compute_metrics(ranks)
    assert found['features_top1'] == pytest.approx(2 / 6)
    assert found['features_top5'] == pytest.approx(4 / 6)
    assert found['patches_top5'] == 0


def test_copies_of_the_metric_share_the_real_images(metric):
    """ReferenceMetricsHook copies it twice."""
    assert copy.deepcopy(metric).real is metric.real


def test_unknown_and_missing_captions_are_refused(metric):
    with pytest.raises(ValueError, match="caption 'z' of .*: set dataset to"):
        judged(metric, smooth(1), ['z'])
    with pytest.raises(ValueError, match='needs caption, .*: add annotations'):
        judged(metric, smooth(1), [None])
