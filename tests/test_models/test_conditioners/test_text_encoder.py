import pytest
import torch
from mmengine.config import ConfigDict

from mmldm.models.conditioners import (
    Conditioner,
    TextEncoder,
    pretrained_tokens,
)
from mmldm.structures import LDMDataSample
from mmldm.utils.checkpoint import load_weights, weights_hash

KEEP = torch.tensor([False, False])
# Of the vocabulary in conftest.py; letters that end a word are others.
START, END = 16, 17
IDS = torch.tensor(
    [
        [START, 0, 9, 10, END, END, END],  # ab C
        [START, 11, END, END, END, END, END],  # d
    ]
)
EMPTY = torch.tensor([[START, END, END, END, END, END, END]] * 2)


@pytest.fixture
def samples():
    return [LDMDataSample(caption=c) for c in ('ab C', 'd')]


@pytest.fixture
def build(clip_folder, clip_tokenizer):
    """Of the folder, unless a config is given."""

    def build(**arguments):
        if 'config' not in arguments:
            arguments.setdefault('pretrained', clip_folder)
        arguments.setdefault('tokenizer', clip_tokenizer)
        return TextEncoder(max_length=7, **arguments)

    return build


@pytest.fixture
def network(clip_folder):
    """By transformers alone."""
    from transformers import CLIPTextModel

    return CLIPTextModel.from_pretrained(clip_folder).eval()


@torch.no_grad()
def test_it_is_the_last_layer_of_transformers(build, network, samples):
    tokens = build()(samples, KEEP)
    assert torch.equal(tokens, network(IDS).last_hidden_state)
    assert build().dim == 16


@torch.no_grad()
def test_or_the_one_before_normed(build, network, samples):
    hidden = network(IDS, output_hidden_states=True).hidden_states
    tokens = build(layer='penultimate')(samples, KEEP)
    assert torch.equal(tokens, network.final_layer_norm(hidden[-2]))
    assert not torch.equal(tokens, build()(samples, KEEP))


@torch.no_grad()
def test_null_is_the_empty_caption(build, network, samples):
    expected = network(EMPTY).last_hidden_state
    encoder = build()
    assert torch.equal(encoder(samples, ~KEEP), expected)
    one = encoder([LDMDataSample(), samples[1]], torch.tensor([True, False]))
    assert torch.equal(one[0], expected[0])
    torch.testing.assert_close(one[1], network(IDS).last_hidden_state[1])


def test_it_stays_frozen_and_in_evaluation(build, clip_config, samples):
    for encoder in (build(), build(config=clip_config)):
        conditioner = Conditioner()
        conditioner.embedders.append(encoder)
        conditioner.train()
        assert encoder.training
        assert not any(m.training for m in encoder.network.modules())
        assert not any(w.requires_grad for w in encoder.parameters())
        assert not conditioner(samples).tokens.requires_grad


@torch.no_grad()
def test_a_config_makes_a_model_that_stores_its_weights(
    build, clip_config, network, samples
):
    encoder = build(config=ConfigDict(clip_config))
    weights = {
        f'network.{name}': weight
        for name, weight in network.state_dict().items()
    }
    load_weights(encoder, weights, 'the network')
    assert encoder.state_dict().keys() == weights.keys()
    expected = network(IDS).last_hidden_state
    assert torch.equal(encoder(samples, KEEP), expected)


def test_a_pretrained_one_stores_its_hash(build, network, samples):
    encoder = build()
    state = encoder.state_dict()
    assert {k: tuple(w.shape) for k, w in state.items()} == {
        'network_hash': (32,)
    }
    expected = weights_hash(network.state_dict())
    assert torch.equal(encoder.network_hash, expected)
    other = build()
    load_weights(other, state, 'the checkpoint')
    assert torch.equal(other(samples, KEEP), encoder(samples, KEEP))


def test_a_checkpoint_of_another_network_is_refused(
    build, clip_config, tmp_path
):
    from transformers import CLIPTextConfig, CLIPTextModel

    CLIPTextModel(CLIPTextConfig(**clip_config)).save_pretrained(tmp_path)
    other = build(pretrained=str(tmp_path))
    with pytest.raises(ValueError, match='of other weights than .*pretrained'):
        load_weights(build(), other.state_dict(), 'the checkpoint')


def test_a_checkpoint_that_has_the_weights_must_have_the_same(
    build, clip_config, network
):
    whole = build(config=clip_config)
    with pytest.raises(ValueError, match='of other weights than .*pretrained'):
        load_weights(build(), whole.state_dict(), 'the checkpoint')
    whole.network.load_state_dict(network.state_dict())
    load_weights(build(), whole.state_dict(), 'the checkpoint')


def test_a_half_precision_folder_is_used_in_float32(build, network, tmp_path):
    network.half().save_pretrained(tmp_path)
    encoder = build(pretrained=str(tmp_path))
    assert {w.dtype for w in encoder.parameters()} == {torch.float32}


@torch.no_grad()
def test_short_captions_are_filled_as_in_training(build, network, samples):
    """Stable Diffusion 2 was trained with another token than CLIP's."""
    encoder = build(pad_id=7)
    h, ids = 7, IDS.clone()
    ids[0, 5:] = ids[1, 3:] = h
    assert torch.equal(encoder(samples, KEEP), network(ids).last_hidden_state)
    assert encoder.include_network()['pad_id'] == h


def test_a_token_that_is_no_word_is_refused(build, samples):
    with pytest.raises(ValueError, match='without pad_id=99'):
        build(pad_id=99)(samples, KEEP)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(pretrained=None), 'with pretrained=None: give one of them'),
        (dict(layer='first'), "TextEncoder.layer='first' is not known"),
        (
            dict(pretrained='/no/such/folder'),
            "pretrained='/no/such/folder' is neither a folder with",
        ),
        (
            dict(config=dict(hiden_size=8)),
            "unknown key 'hiden_size': .*did you mean 'hidden_size'",
        ),
        (dict(config={}, tokenizer=None), 'give tokenizer, such as'),
        (dict(config={}, pretrained='x'), "with pretrained='x': give one"),
        (
            dict(config=dict(max_position_embeddings=5)),
            'max_length=7, but the network has 5 positions: set max_length=5',
        ),
    ],
)
def test_what_cannot_be_built_is_refused(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**arguments)


def test_a_folder_that_lacks_weights_is_refused(build, network, tmp_path):
    weights = network.state_dict()
    del weights['final_layer_norm.bias']
    network.save_pretrained(tmp_path, state_dict=weights)
    with pytest.raises(
        ValueError, match='lacks 1 weights of .*final_layer_norm.bias'
    ):
        build(pretrained=str(tmp_path))


def test_a_tokenizer_of_another_network_is_refused(
    build, clip_config, samples
):
    encoder = build(config={**clip_config, 'vocab_size': 10})
    with pytest.raises(ValueError, match='the token 16, .*vocab_size=10'):
        encoder(samples, KEEP)


def test_a_tokenizer_that_is_missing_is_named_at_the_first_caption(
    build, samples
):
    encoder = build(tokenizer='/no/such/folder')
    with pytest.raises(ValueError, match="'/no/such/folder' is neither"):
        encoder(samples, KEEP)


def test_a_pretrained_network_can_be_included(build, samples):
    encoder = build(layer='penultimate')
    assert 'network_hash' in encoder.state_dict()
    expected = encoder(samples, KEEP)
    arguments = encoder.include_network()
    weights = encoder.state_dict()
    assert 'network_hash' not in weights
    copy = TextEncoder(**arguments)
    load_weights(copy, weights, 'included')
    assert torch.equal(copy(samples, KEEP), expected)
    load_weights(encoder, weights, 'included')
    assert copy.include_network() == arguments


def test_what_is_included_is_what_differs(build, clip_config):
    """Neither a folder nor a release of transformers."""
    arguments = build().include_network()
    usual = dict(hidden_act='quick_gelu', max_position_embeddings=77)
    wanted = {k: v for k, v in clip_config.items() if usual.get(k) != v}
    assert arguments['config'] == wanted


@pytest.mark.parametrize('long', [[], [1], [0, 1]])
def test_cut_captions_are_said_once(build, monkeypatch, long):
    """Seven tokens are read; start and end are two of them."""
    lines = []
    monkeypatch.setattr(
        pretrained_tokens, 'print_log', lambda text, **how: lines.append(text)
    )
    captions = ['d d d d d' + ' d' * (i in long) for i in range(2)]
    encoder = build()
    for _ in range(2):
        encoder([LDMDataSample(caption=c) for c in captions], KEEP)
    assert len(lines) == bool(long)
    if long:
        assert lines[0].startswith(f'{len(long)} of the 2')
        assert 'max_length=7' in lines[0] and 'longest has 8' in lines[0]
