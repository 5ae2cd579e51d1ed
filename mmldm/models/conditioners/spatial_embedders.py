"""Spatial conditions, joined with the latent position by position."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils import check_count
from mmldm.utils.devices import to_device
from mmldm.utils.pixels import to_unit_range
from mmldm.utils.typing import SampleList

from .back_projection import back_project
from .embedder import Embedder, Encode
from .filling import blend, fill_smoothly
from .maps import WHOLE, check_image_size, read_maps, size
from .placed_classes import PlacedClasses


@MODELS.register_module()
class SemanticMap(PlacedClasses):
    """The class of every pixel; null is no class anywhere.

    The map has one channel per class. It is halved to the size of the latent
    and mapped to few channels; Rombach et al. 2022, app. D.3.2 and E.2.2.

    Args:
        num_classes: See :class:`PlacedClasses`.
        num_stages: See :class:`PlacedClasses`.
        embed_dim: See :class:`PlacedClasses`.
    """

    reads = ('gt_sem_seg',)

    def __init__(
        self, num_classes: int, num_stages: int, embed_dim: int
    ) -> None:
        super().__init__(num_classes, num_stages, embed_dim)
        self.linear = nn.Linear(num_classes, embed_dim, bias=False)

    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor:
        """The map of a batch, (B, embed_dim, h, w).

        h = ceil(H / 2^num_stages), w = ceil(W / 2^num_stages).

        Args:
            data_samples: Each has a ``gt_sem_seg``, dropped or not.
            drop: See :class:`Embedder`.
            encode: Not used.

        Raises:
            ValueError: If a map is missing, differs in size from its image,
                or has a class out of range.
        """
        classes = self._classes(data_samples)
        weight = self.linear.weight
        # Mapping first and halving then gives the same, as both are linear,
        # and never stores one channel per class.
        x = F.embedding(to_device(classes, weight.device).long(), weight.t())
        keep = to_device(~drop[:, None, None, None], x.device)
        x = x[:, 0].permute(0, 3, 1, 2) * keep
        height, width = (-side % self.factor for side in x.shape[2:])
        x = F.pad(x, (0, width, 0, height), mode='replicate')
        # For even sizes, bilinear halving is the mean of 2x2 pixels.
        return F.avg_pool2d(x, self.factor)

    def _classes(self, data_samples: SampleList) -> Tensor:
        """Classes of a batch, (B, 1, H, W), on the CPU."""
        classes = read_maps(
            data_samples, 'gt_sem_seg', 'SemanticMap', 1, WHOLE
        )
        check_image_size(classes, data_samples, 'gt_sem_seg')
        for value, sample in zip(classes, data_samples, strict=True):
            low, high = (int(end) for end in value.aminmax())
            if low < 0 or high >= self.num_classes:
                raise ValueError(
                    f'gt_sem_seg of {sample.name} has the class '
                    f'{low if low < 0 else high}, which is not in '
                    f'[0, {self.num_classes}): set SemanticMap.num_classes '
                    'to the number of classes of the data'
                )
        return classes


@MODELS.register_module()
class MaskedImage(Embedder):
    """An image with a hole, and the place of the hole; null is all hole.

    The condition holds the latents of the image, black in the hole, and the
    mask at their size, 1 in the hole and -1 elsewhere. It is that of the
    inpainting model of Rombach et al. 2022, section 4.5.

    Args:
        latent_channels: Latent channels of the first stage.
        blends: Whether generated holes are blended into the image, see
            :func:`blend`; otherwise a seam may be seen at their edges.
    """

    slot = 'spatial'
    reads = ('gt_img', 'mask')

    def __init__(self, latent_channels: int, blends: bool = False) -> None:
        super().__init__()
        check_count('MaskedImage.latent_channels', latent_channels)
        self.dim = latent_channels + 1
        self.blends = blends

    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor:
        """Masked latents and masks, (B, latent_channels + 1, h, w).

        Args:
            data_samples: Each has a ``gt_img`` and a ``mask``, dropped or not.
            drop: See :class:`Embedder`.
            encode: Encoder of the first stage.

        Raises:
            ValueError: If a field is missing, or a mask differs in size from
                its image or has other values than 0 and 1.
        """
        images, masks = self._read(data_samples)
        masks = masks.bool() | drop[:, None, None, None]
        images = to_device(images, self.device)
        images = to_unit_range(images).to(self.dtype)
        masks = to_device(masks, self.device)
        return self.concat(self.hide(images, masks), masks, encode)

    def hide(self, images: Tensor, masks: Tensor) -> Tensor:
        """Images (B, C, H, W) without the content under their masks."""
        return images.masked_fill(masks, -1)

    def mark(self, masks: Tensor, size: torch.Size) -> Tensor:
        """Masks (B, 1, H, W), 0 or 1, resized to the size of latents."""
        return F.interpolate(masks, size)

    def concat(
        self, masked: Tensor, masks: Tensor, encode: Encode | None
    ) -> Tensor:
        """The condition of masked images, (B, latent_channels + 1, h, w).

        Args:
            masked: Images in [-1, 1] without the content of the hole,
                (B, 3, H, W).
            masks: True in the hole, (B, 1, H, W).
            encode: Encoder of the first stage.

        Raises:
            ValueError: If there is no encoder.
        """
        if encode is None:
            raise ValueError(
                'MaskedImage needs the first stage: call the conditioner '
                'with encode=model.autoencoder.encode'
            )
        z = encode(masked)
        marks = 2 * self.mark(masks.to(z.dtype), z.shape[2:]) - 1
        return torch.cat([z, marks], dim=1)

    def restore(self, images: Tensor, data_samples: SampleList) -> Tensor:
        """The images with all known pixels, see :class:`Embedder`."""
        known, masks = (x.to(images.device) for x in self._read(data_samples))
        holes = masks.bool()
        if self.blends:
            return blend(images, known, holes)
        return torch.where(holes, images, known)

    @staticmethod
    def _read(data_samples: SampleList) -> tuple[Tensor, Tensor]:
        """Images and masks of a batch, on the CPU."""
        reader = 'MaskedImage'
        images = read_maps(data_samples, 'gt_img', reader, 3)
        masks = read_maps(
            data_samples, 'mask', reader, 1, (torch.uint8, torch.bool)
        )
        check_image_size(images, data_samples, 'gt_img')
        for image, mask, sample in zip(
            images, masks, data_samples, strict=True
        ):
            if image.shape[1:] != mask.shape[1:]:
                raise ValueError(
                    f'mask of {sample.name} is {size(mask)}, but its image is '
                    f'{size(image)}: give both the same size'
                )
            if mask.max() > 1:
                raise ValueError(
                    f'mask of {sample.name} has the value {mask.max()}, but '
                    'must be 1 in the hole and 0 elsewhere: threshold it, '
                    'mask > 127'
                )
        return images, masks


@MODELS.register_module()
class FilledImage(MaskedImage):
    """An image with its hole smoothly filled; null is all hole, grey.

    Two differences from :class:`MaskedImage` let a small model with few
    iterations start from interpolation: the hole is filled by
    :func:`fill_smoothly`, and the mask holds the share of each position that
    is hole, instead of the value of one of its pixels.
    """

    def hide(self, images: Tensor, masks: Tensor) -> Tensor:
        return fill_smoothly(images, masks)

    def mark(self, masks: Tensor, size: torch.Size) -> Tensor:
        return F.adaptive_avg_pool2d(masks, size)


@MODELS.register_module()
class LowResolution(Embedder):
    """The low-resolution version of the wanted image; null is grey.

    It is used as it is, in [-1, 1] and of the latent's size; the
    super-resolution model of Rombach et al. 2022, section 4.4.

    Args:
        channels: Channels of the image.
        back_projections: Number of steps of :func:`back_project`, which adapt
            generated images to the small image; 0 for none. Use about 3 if
            small images are clean and shrunk as by ``DegradeBicubic``, and 0
            if they are noisy or compressed.

    Raises:
        ValueError: If images that are not RGB should be back-projected.
    """

    slot = 'spatial'
    reads = ('img_lq',)

    def __init__(self, channels: int = 3, back_projections: int = 0) -> None:
        super().__init__()
        check_count('LowResolution.channels', channels)
        if back_projections:
            check_count('LowResolution.back_projections', back_projections)
        if back_projections and channels != 3:
            raise ValueError(
                f'LowResolution.back_projections={back_projections} needs RGB '
                f'images, but channels={channels}: set back_projections=0'
            )
        self.dim = channels
        self.back_projections = back_projections

    def restore(self, images: Tensor, data_samples: SampleList) -> Tensor:
        """The images after back-projection, see :class:`Embedder`."""
        if not self.back_projections:
            return images
        small = read_maps(data_samples, 'img_lq', 'LowResolution', self.dim)
        return back_project(
            images, small.to(images.device), self.back_projections
        )

    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor:
        """The small images of a batch, (B, channels, h, w).

        Args:
            data_samples: Each has an ``img_lq``, dropped or not.
            drop: See :class:`Embedder`.
            encode: Not used.

        Raises:
            ValueError: If an image is missing, or not uint8.
        """
        images = read_maps(data_samples, 'img_lq', 'LowResolution', self.dim)
        images = to_device(images, self.device)
        images = to_unit_range(images).to(self.dtype)
        return images * to_device(~drop[:, None, None, None], self.device)
