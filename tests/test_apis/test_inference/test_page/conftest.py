"""Inferencers of tiny models, one of each kind."""

import pytest
import torch

from mmldm.apis import LatentDiffusionInferencer

WITHOUT_TOKENS = dict(context_dim=None)
KINDS = {
    'class': dict(conditioner=dict(drop_prob=0.1)),
    'text': dict(
        conditioner=dict(
            drop_prob=0.1,
            embedders=[
                dict(
                    type='TokenTransformer',
                    tokenizer=dict(
                        type='WordTokens',
                        vocab=['a', 'red', 'blue', 'circle'],
                        max_length=4,
                    ),
                    embed_dim=8,
                    num_layers=1,
                    num_heads=1,
                )
            ],
        )
    ),
    'layout': dict(
        conditioner=dict(
            embedders=[dict(type='BoxEmbedder', num_classes=6, embed_dim=8)]
        )
    ),
    'map': dict(
        conditioner=dict(
            embedders=[
                dict(
                    type='SemanticMap',
                    num_classes=6,
                    num_stages=1,
                    embed_dim=3,
                )
            ]
        ),
        denoiser=dict(in_channels=7, **WITHOUT_TOKENS),
    ),
    'hole': dict(
        conditioner=dict(
            drop_prob=0.0,
            embedders=[dict(type='MaskedImage', latent_channels=4)],
        ),
        denoiser=dict(in_channels=9, **WITHOUT_TOKENS),
    ),
    'small': dict(
        conditioner=dict(embedders=[dict(type='LowResolution')]),
        denoiser=dict(in_channels=7, **WITHOUT_TOKENS),
    ),
    'nothing': dict(conditioner=dict(embedders=[]), denoiser=WITHOUT_TOKENS),
}


@pytest.fixture
def inferencer(tiny_ldm):
    def inferencer(kind):
        torch.manual_seed(0)
        return LatentDiffusionInferencer(
            tiny_ldm(image_size=16, **KINDS[kind])
        )

    return inferencer
