import copy

import torch

from mmldm.evaluation.real_images import real_images


def test_the_last_data_set_is_read_once(real_set):
    images = [torch.randint(256, (3, 4, 4), dtype=torch.uint8)] * 2
    builds = real_set(images)
    config = dict(type='Any', pipeline=[dict(type='PackInputs')])
    for _ in range(3):
        found = real_images(copy.deepcopy(config))
        assert all(a is b for a, b in zip(found, images, strict=True))
    assert builds == [config]
    real_images(config | dict(size=8))
    assert len(builds) == 2
