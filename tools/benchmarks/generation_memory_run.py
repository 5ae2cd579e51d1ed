"""A test of fake images with a cheap feature network."""

import resource
import tempfile
import time
from pathlib import Path

import torch
from mmengine.config import Config
from torch import nn

from mmldm.models.feature_networks import Extracted, FeatureNetwork
from mmldm.registry import DATASETS, MODELS, RUNNERS

NUM_FEATURES = 2048
NUM_REAL = 2000


@MODELS.register_module()
class CheapFeatures(FeatureNetwork):
    """A random projection of an image's 8x8 mean colours."""

    name = 'cheap'
    num_features = NUM_FEATURES

    def __init__(self) -> None:
        super().__init__(8, 'random')
        torch.manual_seed(0)
        weight = torch.randn(3 * self.side**2, NUM_FEATURES) / 8
        self.weight = nn.Parameter(weight, requires_grad=False)

    def extract(self, images: torch.Tensor) -> Extracted:
        """See :class:`FeatureNetwork`."""
        small = nn.functional.adaptive_avg_pool2d(images / 255, self.side)
        return Extracted((small.flatten(1) @ self.weight).relu(), None)


@DATASETS.register_module()
class FakeImages:
    """Real images that are fake.

    Args:
        count: Number of images.
        size: Height and width, pixels.
    """

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size = count, size

    def __len__(self) -> int:
        """Number of images."""
        return self.count

    def __getitem__(self, number: int) -> dict:
        """The image at an index."""
        return dict(inputs=fake_image(number, self.size))


def fake_image(number: int, size: int) -> torch.Tensor:
    """An image of two colours, which is fast to write, uint8 (3, H, W)."""
    random = torch.Generator().manual_seed(number)
    colours = torch.randint(0, 256, (3, 2), generator=random).to(torch.uint8)
    return colours.repeat_interleave(size // 2, 1)[:, None].repeat(1, size, 1)


def config(count: int, size: int, work_dir: str) -> Config:
    """A test of a small model; its images are replaced by fake ones."""
    root = Path(__file__).parents[2]
    path = 'configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
    cfg = Config.fromfile(root / path)
    cfg.model.autoencoder_checkpoint = None
    cfg.model.autoencoder = Config.fromfile(
        root / 'configs/autoencoder/'
        'autoencoder_kl-f4_1xb32-300_digits-32x32.py'
    ).model.autoencoder
    for key in list(cfg):
        if key.startswith(('train_', 'val_', 'optim', 'param_s', 'auto_')):
            cfg.pop(key)
    cfg.work_dir = work_dir
    cfg.test_dataloader.batch_size = 50
    cfg.test_dataloader.dataset.update(num_samples=count, size=size)
    cfg.test_evaluator = dict(
        type='GeneratedImages',
        features=dict(type='CheapFeatures'),
        reference=dict(type='FakeImages', count=NUM_REAL, size=size),
        measures=['fd', 'kid'],
    )
    return cfg


def peak() -> float:
    """Peak memory of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(count: int, size: int) -> str:
    """Run a test and say its metrics, its peak of memory and its time.

    Args:
        count: Number of images.
        size: Height and width, pixels.
    """
    with tempfile.TemporaryDirectory(prefix='generation_memory_') as folder:
        torch.hub.set_dir(folder)
        runner = RUNNERS.build(config(count, size, folder))

        def predict(inputs: None, samples: list) -> list:
            for sample in samples:
                sample.pred_img = fake_image(sample.sample_idx, size)
            return samples

        runner.bare_model.predict = predict
        before, start = peak(), time.monotonic()
        metrics = runner.test()
        seconds = time.monotonic() - start
    return (
        f'{metrics}\n{count} images of {size}x{size}: peak {peak():.0f} MB, '
        f'{peak() - before:.0f} MB beyond the model; {seconds:.0f} s'
    )
