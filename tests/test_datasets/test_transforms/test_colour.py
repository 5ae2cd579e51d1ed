import numpy as np

from mmldm.datasets.transforms import RandomChannelOrder


def test_all_six_orders_of_channels_come_and_nothing_else_changes():
    image = np.random.randint(256, size=(4, 5, 3), dtype=np.uint8)
    seen = set()
    for _ in range(100):
        shuffled = RandomChannelOrder().transform(dict(img=image))['img']
        order = tuple(
            next(i for i in range(3) if np.array_equal(image[..., i], channel))
            for channel in np.moveaxis(shuffled, 2, 0)
        )
        seen.add(order)
    assert len(seen) == 6
    assert all(sorted(order) == [0, 1, 2] for order in seen)
