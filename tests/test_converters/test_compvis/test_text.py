import pytest
import torch

from mmldm.converters.compvis.clip import CLIP_NETWORK
from mmldm.converters.compvis.conditioner import read_stage
from mmldm.converters.transformer_names import CLIP_KEYS
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import load_weights

from .clip import clip_to_compvis

TARGET = 'ldm.modules.encoders.modules.FrozenCLIPEmbedder'
TINY = dict(
    vocab_size=11,
    hidden_size=12,
    intermediate_size=20,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=6,
)


def config_of(original):
    """Of our text encoder."""
    return read_stage(original, 'tokens', None).config


def test_the_original_is_clip_l_14():
    config = config_of(dict(target=TARGET))
    with torch.device('meta'):
        encoder = MODELS.build(config)
    assert encoder.tokenizer.pretrained == 'openai/clip-vit-large-patch14'
    assert encoder.dim == 768
    # Of the published model.
    assert sum(w.numel() for w in encoder.parameters()) == 123_060_480


def test_the_length_of_captions_arrives():
    original = dict(target=TARGET, params=dict(device='cpu', max_length=20))
    assert config_of(original)['max_length'] == 20


@pytest.mark.parametrize(
    'original, message',
    [
        (dict(target='x.FrozenT5Embedder'), 'cannot be converted'),
        (
            dict(target=TARGET, params=dict(version='openai/clip-vit-base')),
            "params.version='openai/clip-vit-base' has no counterpart",
        ),
    ],
)
def test_another_encoder_is_refused(original, message):
    with pytest.raises(ValueError, match=message):
        config_of(original)


@torch.no_grad()
def test_weights_of_the_original_are_the_same_network():
    """With the names of transformers 4.19, as in the published files."""
    from transformers import CLIPTextConfig, CLIPTextModel

    model = CLIPTextModel(CLIPTextConfig(**TINY)).eval()
    prefix = 'transformer.text_model.'
    theirs = {prefix + n: w for n, w in model.state_dict().items()}
    theirs[f'{prefix}embeddings.position_ids'] = torch.arange(6)[None]
    config = config_of(dict(target=TARGET))
    config |= dict(config={**CLIP_NETWORK, **TINY}, max_length=6)
    ours = MODELS.build(config)
    load_weights(ours, CLIP_KEYS.read(theirs, config), 'theirs')
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    ours.tokenizer = lambda *_: ids
    tokens = ours([], torch.tensor([False]))
    assert torch.equal(tokens, model(ids).last_hidden_state)
    back = clip_to_compvis(ours.state_dict(), config)
    assert back.keys() == theirs.keys()
    for name, weight in theirs.items():
        assert torch.equal(back[name], weight), name
