"""Against what the original computes; see tests/data/reference/README.md."""

import pytest
import torch

from mmldm.converters.transformer_names import BERT_KEYS
from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils.checkpoint import load_weights

PREFIX = 'cond_stage_model.'
PUBLISHED = [
    'ldm/layout2img-openimages256',
    'ldm/text2img-large',
    'ldm/text2img256',
]


def config_of(params, **overrides):
    """Ours, of the original's ``params``."""
    return dict(
        type='TokenTransformer',
        tokenizer=dict(type='PrecomputedTokens'),
        vocab_size=params.get('vocab_size', 30522),
        max_length=params.get('max_seq_len', 77),
        embed_dim=params['n_embed'],
        num_layers=params['n_layer'],
        logits=True,
        **overrides,
    )


@pytest.fixture(params=['text_kl_f8', 'layout_vq_f4'])
def case(request, reference):
    """Weights and config of a case, and what was computed."""
    name = request.param
    params = reference.original(name)['cond_stage_config']['params']
    weights = reference.weights(name, PREFIX)
    return config_of(params), weights, reference.values(name)


def shapes(weights):
    return {name: tuple(weight.shape) for name, weight in weights.items()}


def converted(config, weights):
    model = MODELS.build(config)
    load_weights(model, BERT_KEYS.read(weights, config), 'the case')
    return model


def test_a_converted_transformer_computes_what_the_original_does(
    case, assert_near
):
    config, weights, expected = case
    model = converted(config, weights)
    samples = [LDMDataSample(tokens=row) for row in expected['tokens']]
    keep = torch.zeros(len(samples), dtype=torch.bool)
    with torch.no_grad():
        assert_near(model(samples, keep), expected['context'], 1e-5)
        assert_near(model(samples, ~keep), expected['uncond_context'], 1e-5)


def test_there_and_back_every_number_is_the_same(case):
    config, weights, _ = case
    ours = converted(config, weights).state_dict()
    back = BERT_KEYS.write(ours, config)
    assert back.keys() == weights.keys()
    for key, weight in weights.items():
        assert torch.equal(back[key], weight), key


def test_a_weight_of_another_shape_is_refused(case):
    config, weights, _ = case
    key = 'transformer.attn_layers.layers.1.1.net.2.weight'
    weights[key] = weights[key].T
    with pytest.raises(
        ValueError, match=r'net.2.weight has shape .*blocks.0.feed_forward.2'
    ):
        BERT_KEYS.read(weights, config)


@pytest.mark.parametrize('name', PUBLISHED)
def test_every_tensor_of_a_published_transformer_has_its_place(
    name, reference
):
    model = reference.published('ldm')[name]
    params = model['config']['params']['cond_stage_config']['params']
    config = config_of(params)
    theirs = {
        key.removeprefix(PREFIX): torch.empty(shape, device='meta')
        for key, shape in model['state_dict'].items()
        if key.startswith(PREFIX)
    }
    ours = BERT_KEYS.read(theirs, config)
    with torch.device('meta'):
        model = MODELS.build(config)
    assert shapes(ours) == shapes(model.state_dict())
    assert shapes(BERT_KEYS.write(ours, config)) == shapes(theirs)
