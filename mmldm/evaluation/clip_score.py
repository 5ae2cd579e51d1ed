"""Metric: do images show what their captions say?"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric
from torch import nn

from mmldm.models.conditioners.pretrained_tokens import ClipTokens
from mmldm.models.feature_networks import CLIPFeatures
from mmldm.models.feature_networks.clip import clip_model
from mmldm.registry import METRICS
from mmldm.utils.same_rounding import same_rounding


@METRICS.register_module()
class CLIPScore(BaseMetric):
    """Mean cosine of CLIP's embeddings of image and caption, times 100.

    Hessel et al. 2021 (arXiv:2104.08718), section 3, without its factor of
    2.5: negative cosines count as 0. The metric reads ``caption``. Values of
    different CLIP networks cannot be compared.

    Args:
        pretrained: Folder of a CLIP model of transformers with its tokenizer,
            or its name on huggingface.co.

    Raises:
        ValueError: If the model is not available.
    """

    default_prefix = 'clip'

    def __init__(
        self, pretrained: str = 'openai/clip-vit-large-patch14', **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.pretrained = pretrained
        self.network = CLIPFeatures(pretrained)

    @cached_property
    def texts(self) -> nn.ModuleList:
        """The text encoder and its projection."""
        where = f'CLIPScore.pretrained={self.pretrained!r}'
        model = clip_model(self.pretrained, where)
        return nn.ModuleList([model.text_model, model.text_projection])

    @cached_property
    def tokenizer(self) -> ClipTokens:
        """Makes ids of captions."""
        length = self.texts[0].config.max_position_embeddings
        return ClipTokens(self.pretrained, length)

    @torch.inference_mode()
    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Compare the images of a batch with their captions.

        Raises:
            ValueError: If a sample has no caption.
        """
        device = data_samples[0]['pred_img'].device
        self.network.to(device)
        self.texts.to(device)
        for sample in data_samples:  # one by one: the same for any batch size
            if not isinstance(sample.get('caption'), str):
                raise ValueError(
                    'CLIPScore needs captions, which test_dataloader does not '
                    'give: use a data set with captions, or remove CLIPScore '
                    'from test_evaluator'
                )
            with same_rounding(device):
                image = self.network(sample['pred_img'][None]).features
                ids = self.tokenizer.ids([sample['caption']]).to(device)
                encoder, project = self.texts
                text = project(encoder(ids).pooler_output)
                cosine = F.cosine_similarity(image, text)
            self.results.append(max(float(cosine), 0.0))

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        """``score``, in [0, 100], higher is better."""
        return dict(score=100 * sum(results) / len(results))
