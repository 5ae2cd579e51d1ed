"""DINOv2, whose distances agree with people better than Inception's."""

from typing import Any

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils import check_count
from mmldm.utils.checkpoint import as_hex, weights_hash
from mmldm.utils.hub import required

from .base import Extracted, FeatureNetwork, resized

# Mean and standard deviation of ImageNet's pixels, in [0, 1].
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


@MODELS.register_module()
class DINOv2Features(FeatureNetwork):
    """The class token of a DINOv2 vision transformer of transformers.

    Oquab et al. 2023 (arXiv:2304.07193). Stein et al. 2023 (arXiv:2306.04675)
    use it to judge generated images (FD-DINOv2, with the large network,
    ``facebook/dinov2-large``, D = 1024).

    Args:
        pretrained: Folder of a model of transformers, or its name on
            huggingface.co. Code in that folder is never executed.
        side: Height and width to which images are resized, a multiple of the
            network's patches of 14 pixels.

    Raises:
        ValueError: If the network is not available, or is no DINOv2.
    """

    name = 'dinov2'
    files = ('pretrained',)

    def __init__(
        self, pretrained: str = 'facebook/dinov2-large', side: int = 224
    ) -> None:
        check_count('DINOv2Features.side', side)
        network = _network(pretrained)
        patch = network.config.patch_size
        if side % patch:
            near = max(side // patch, 1) * patch
            raise ValueError(
                f'DINOv2Features.side={side} must be a multiple of its '
                f'patches of {patch} pixels: set side={near}'
            )
        super().__init__(side, as_hex(weights_hash(network.state_dict())))
        self.num_features = network.config.hidden_size
        self.network = network
        for name, value in (('mean', MEAN), ('deviation', DEVIATION)):
            column = torch.tensor(value).view(3, 1, 1) * 255
            self.register_buffer(name, column, persistent=False)
        self.requires_grad_(False).eval()

    def extract(self, images: Tensor) -> Extracted:
        """See :class:`FeatureNetwork`."""
        inputs = (resized(images, self.side) - self.mean) / self.deviation
        return Extracted(self.network(inputs).pooler_output, None)


def _network(pretrained: str) -> nn.Module:
    """The vision transformer from a folder or name.

    Raises:
        ValueError: See :class:`DINOv2Features`.
    """
    from transformers import Dinov2Model

    def load(source: str, **kwargs: Any) -> nn.Module:
        # Nothing that a folder brings along is executed: safetensors alone,
        # and no attention of a package that its config.json names.
        network, report = Dinov2Model.from_pretrained(
            source,
            use_safetensors=True,
            attn_implementation='eager',
            output_loading_info=True,
            **kwargs,
        )
        if report['missing_keys']:
            raise ValueError(f'{len(report["missing_keys"])} weights missing')
        return network.float()

    where = f'DINOv2Features.pretrained={pretrained!r}'
    return required(load, pretrained, where, 'a DINOv2 network')
