"""Metric: is the nearest real image the one that was asked for?"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor, nn

from mmldm.registry import DATASETS, METRICS, MODELS
from mmldm.utils.pixels import to_unit_range
from mmldm.utils.typing import ConfigType

from .patch_features import PatchDistance
from .sharpness import LITE

# An image is found if it is among so many nearest ones.
TOP = (1, 5)
# Images whose features are computed at a time.
BATCH = 32


class RealImages:
    """Distinct real images, which two judges compare others with.

    Images with equal pixels are one, which has the captions of all.

    Args:
        dataset: Config of real images of one size, with a ``caption`` each.
        distance: A ``PretrainedFeatures``.
    """

    def __init__(self, dataset: ConfigType, distance: nn.Module) -> None:
        self.dataset = dataset
        self.distance = distance

    def __deepcopy__(self, memo: dict) -> 'RealImages':
        """Itself: it never changes, and its features may be large."""
        return self

    @cached_property
    def images(self) -> list[Tensor]:
        """The distinct images, uint8 (3, H, W)."""
        return [image for image, _ in self._entries]

    @cached_property
    def numbers(self) -> dict[str, list[int]]:
        """The numbers of the images with a caption."""
        found: dict[str, list[int]] = {}
        for number, (_, captions) in enumerate(self._entries):
            for caption in sorted(captions):
                found.setdefault(caption, []).append(number)
        return found

    @cached_property
    def _entries(self) -> list[tuple[Tensor, set[str]]]:
        """Each distinct image and its captions."""
        entries: dict[bytes, tuple[Tensor, set[str]]] = {}
        for sample in DATASETS.build(self.dataset):
            image = sample['inputs']
            content = image.numpy().tobytes()
            captions = entries.setdefault(content, (image, set()))[1]
            captions.add(_caption(sample['data_samples']))
        return [*entries.values()]

    @cached_property
    def judges(self) -> dict[str, tuple[Callable, Tensor]]:
        """Each judge: from images to features, and those of real images."""
        patches = PatchDistance(self.images)
        return dict(
            features=(self._vectors, self._vectors(self.images)),
            patches=(patches.scaled, patches.rows),
        )

    def ranks(
        self, images: Sequence[Tensor], captions: Sequence[str]
    ) -> list[dict[str, int]]:
        """How many real images are nearer than the right one, by judge.

        If several images have the caption, the nearest of them is the right
        one.

        Args:
            images: Generated images, uint8 (3, H, W).
            captions: Their captions.

        Raises:
            ValueError: If no real image has a caption.
        """
        right = [self._numbers_of(caption) for caption in captions]
        ranks: list[dict[str, int]] = [{} for _ in images]
        for name, (judge, real) in self.judges.items():
            distances = torch.cdist(judge(images), real)
            for rank, row, own in zip(ranks, distances, right, strict=True):
                rank[name] = int((row < row[own].min()).sum())
        return ranks

    def _numbers_of(self, caption: str) -> list[int]:
        if caption not in self.numbers:
            raise ValueError(
                f'no image of NearestImage.dataset has the caption '
                f'{caption!r} of the test data: set dataset to images with '
                'all captions of test_dataloader.dataset'
            )
        return self.numbers[caption]

    @torch.no_grad()
    def _vectors(self, images: Sequence[Tensor]) -> Tensor:
        """Features whose squared distances are those of the images."""
        return torch.cat(
            [
                self.distance.vectors(
                    to_unit_range(torch.stack([*images[i : i + BATCH]]))
                )
                for i in range(0, len(images), BATCH)
            ]
        )


@METRICS.register_module()
class NearestImage(BaseMetric):
    """How often the real image that was asked for is the nearest one.

    It is for models that learn what each caption of a data set looks like.
    There are two judges: the features of a network (``features``), and those
    of :class:`PatchDistance`, which need no network and which no loss has
    seen (``patches``). Real images with equal pixels count as one.

    Args:
        dataset: Config of real images of one size with all captions of the
            test data.
        features: Config of ``PretrainedFeatures``; None for EfficientNet-
            Lite0.
        kwargs: Arguments of mmengine's ``BaseMetric``.
    """

    default_prefix = 'nearest'

    def __init__(
        self,
        dataset: ConfigType,
        features: ConfigType | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        distance = MODELS.build(features or LITE).eval()
        self.real = RealImages(dataset, distance)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Rank the real images for a batch.

        Raises:
            ValueError: If a caption is missing or unknown.
        """
        images = [sample['pred_img'].cpu() for sample in data_samples]
        self.results += self.real.ranks(images, [*map(_caption, data_samples)])

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Shares in [0, 1], and how many ``pictures`` there are to choose of.

        ``features_top1`` and ``patches_top1`` are the shares of images whose
        nearest picture is the right one, those with ``top5`` of images with
        the right one among the nearest five.
        """
        shares = {
            f'{judge}_top{most}': sum(rank[judge] < most for rank in results)
            / len(results)
            for judge in results[0]
            for most in TOP
        }
        return shares | dict(pictures=len(self.real.images))


def _caption(sample: Any) -> str:
    """The caption of a sample.

    Raises:
        ValueError: If it has none.
    """
    caption = sample.get('caption')
    if caption is None:
        raise ValueError(
            'NearestImage needs caption, which is missing in the data: add '
            "annotations=[dict(type='CaptionFiles')] and ChooseCaption("
            'random=False) to its data set and that of test_dataloader'
        )
    return caption
