"""The tiny model with attention, its file, and adapters of it."""

import copy
from pathlib import Path

import pytest
import torch

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint

DENOISERS = dict(
    unet=dict(attn_factors=(1,)),
    plain_unet=dict(attn_factors=(1,), context_dim=None, vector_dim=8),
    transformer=dict(
        _delete_=True,
        type='DiffusionTransformer',
        channels=32,
        num_layers=2,
        num_heads=2,
    ),
)


@pytest.fixture(params=DENOISERS)
def base(request, ldm_config, awaken, tmp_path):
    """(config, file) of a model whose branches all have weights."""
    vector = request.param == 'plain_unet'
    embedder = dict(type='ClassEmbedder', num_classes=10, embed_dim=8)
    embedder |= dict(slot='vector') if vector else {}
    config = ldm_config(
        denoiser=copy.deepcopy(DENOISERS[request.param]),
        conditioner=dict(type='Conditioner', embedders=[embedder]),
    )
    model = MODELS.build(config)
    awaken(model)
    path = Path(tmp_path / 'base.pth')
    write_checkpoint(dict(state_dict=model.state_dict()), path)
    return config, str(path)


@pytest.fixture
def adapted(base):
    """Builds the model with an adapter that changes it."""

    def adapted(**options):
        config, path = base
        adapter = dict(type='LoRA', base=path, rank=2) | options
        model = MODELS.build({**config, 'adapter': adapter})
        for name, weight in model.adapter_weights().items():
            if '.lora_B.' in name:
                torch.nn.init.normal_(weight, std=0.2)
        return model.eval()

    return adapted
