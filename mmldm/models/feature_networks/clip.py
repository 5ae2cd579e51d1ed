"""CLIP's image encoder, whose features follow the meaning of images."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import as_hex, weights_hash
from mmldm.utils.hub import default_attention, required

from .base import Extracted, FeatureNetwork, resized

# Mean and standard deviation of CLIP's training images, in [0, 1].
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)


@MODELS.register_module()
class CLIPFeatures(FeatureNetwork):
    """CLIP's projected embedding of an image, of norm 1.

    Radford et al. 2021 (arXiv:2103.00020). Jayasumana et al. 2024
    (arXiv:2401.09603) compare sets of images by it (CMMD, with
    ``openai/clip-vit-large-patch14-336``, D = 768).

    Args:
        pretrained: Folder of a model of transformers, or its name on
            huggingface.co. Code in that folder is never executed.

    Raises:
        ValueError: If the network is not available, or is no CLIP.
    """

    name = 'clip'
    files = ('pretrained',)

    def __init__(
        self, pretrained: str = 'openai/clip-vit-large-patch14-336'
    ) -> None:
        where = f'CLIPFeatures.pretrained={pretrained!r}'
        model = clip_model(pretrained, where)
        # The text encoder is not needed.
        network = nn.ModuleList([model.vision_model, model.visual_projection])
        digest = weights_hash(network.state_dict())
        super().__init__(model.config.vision_config.image_size, as_hex(digest))
        self.num_features = model.config.projection_dim
        self.network = network
        for name, value in (('mean', MEAN), ('deviation', DEVIATION)):
            column = torch.tensor(value).view(3, 1, 1) * 255
            self.register_buffer(name, column, persistent=False)
        self.requires_grad_(False).eval()

    def extract(self, images: Tensor) -> Extracted:
        """See :class:`FeatureNetwork`."""
        inputs = (resized(images, self.side) - self.mean) / self.deviation
        encoder, project = self.network
        embeddings = project(encoder(inputs).pooler_output)
        return Extracted(F.normalize(embeddings, dim=-1), None)


def clip_model(pretrained: str, where: str) -> nn.Module:
    """A CLIP model from a folder or name, float32.

    Nothing that a folder brings along is executed: only safetensors are
    read, and no attention that its config.json names.

    Args:
        pretrained: Folder, or name on huggingface.co.
        where: Config key with its value, for errors.

    Raises:
        ValueError: If the model is not available, or weights are missing.
    """
    from transformers import CLIPModel

    def load(source: str, **options: Any) -> nn.Module:
        model, report = CLIPModel.from_pretrained(
            source,
            use_safetensors=True,
            attn_implementation=default_attention(CLIPModel),
            output_loading_info=True,
            **options,
        )
        missing = [*report['missing_keys'], *report['mismatched_keys']]
        if missing:
            raise ValueError(f'{len(missing)} weights missing')
        return model.float().eval().requires_grad_(False)

    return required(load, pretrained, where, 'a CLIP network')
