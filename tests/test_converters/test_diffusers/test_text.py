import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmldm.converters.diffusers.text import (
    text_encoder_from_diffusers_config,
    text_encoder_to_diffusers,
    text_encoder_to_diffusers_config,
    transformer_from_diffusers_config,
    transformer_to_diffusers,
    transformer_to_diffusers_config,
)
from mmldm.converters.transformer_names import CLIP_KEYS, LDMBERT_KEYS
from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils.checkpoint import load_weights

IDS = torch.tensor([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]])
KEEP = torch.tensor([False, False])
BERT = dict(
    vocab_size=11,
    max_position_embeddings=6,
    encoder_layers=2,
    encoder_ffn_dim=48,
    encoder_attention_heads=3,
    head_dim=5,
    d_model=12,
)
CLIP = dict(
    vocab_size=11,
    hidden_size=12,
    intermediate_size=20,
    num_hidden_layers=3,
    num_attention_heads=2,
    max_position_embeddings=6,
    hidden_act='gelu',
    layer_norm_eps=1e-3,
    bos_token_id=9,
    eos_token_id=10,
    pad_token_id=0,
)


def noisy(model):
    """Weights as after training: those that start at 0 or 1 are not."""
    for weight in model.parameters():
        weight.data += 0.1 * torch.randn_like(weight)
    return model.eval()


def equal(found, expected):
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        assert torch.equal(found[name], weight), name


def stored(model, folder):
    """What a library has written: the config, and the weights."""
    model.save_pretrained(folder)
    config = json.loads((folder / 'config.json').read_text())
    return config, load_file(folder / 'model.safetensors')


def read(module, folder, config, weights):
    """What a library reads of what is written for it; nothing is missing."""
    (folder / 'config.json').write_text(json.dumps(config))
    save_file(weights, folder / 'model.safetensors', {'format': 'pt'})
    model, report = module.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    return model.eval()


@pytest.fixture
def ldmbert():
    """The class, and a model of it."""
    pytest.importorskip('diffusers')
    from diffusers.pipelines.latent_diffusion import (
        pipeline_latent_diffusion as theirs,
    )

    config = theirs.LDMBertConfig(**BERT)
    return theirs.LDMBertModel, noisy(theirs.LDMBertModel(config))


@torch.no_grad()
def test_an_ldmbert_folder_is_the_same_transformer(ldmbert, tmp_path):
    _, model = ldmbert
    theirs, weights = stored(model, tmp_path)
    config = transformer_from_diffusers_config(theirs)
    ours = MODELS.build(config)
    load_weights(ours, LDMBERT_KEYS.read(weights, config), 'theirs')
    ours.tokenizer = lambda *_: IDS
    torch.testing.assert_close(
        ours([], KEEP), model(IDS).last_hidden_state, rtol=1e-5, atol=1e-5
    )
    equal(transformer_to_diffusers(ours.state_dict(), config), weights)


@pytest.mark.parametrize('logits', [True, False])
@torch.no_grad()
def test_a_transformer_of_ours_is_read_by_diffusers(ldmbert, tmp_path, logits):
    config = dict(
        type='TokenTransformer',
        tokenizer=dict(type='PrecomputedTokens'),
        vocab_size=11,
        max_length=6,
        embed_dim=12,
        num_layers=2,
        num_heads=3,
        logits=logits,
    )
    ours = noisy(MODELS.build(config))
    theirs = transformer_to_diffusers_config(config)
    assert theirs['head_dim'] == 64
    weights = transformer_to_diffusers(ours.state_dict(), config)
    model = read(ldmbert[0], tmp_path, theirs, weights)
    samples = [LDMDataSample(tokens=row) for row in IDS]
    torch.testing.assert_close(
        model(IDS).last_hidden_state,
        ours(samples, KEEP),
        rtol=1e-5,
        atol=1e-5,
    )
    back = LDMBERT_KEYS.read(weights, config | dict(logits=True))
    named = {name: back[name] for name in ours.state_dict()}
    equal(named, ours.state_dict())
    # What diffusers drops in training, ours does not.
    torch.testing.assert_close(model.train()(IDS), model.eval()(IDS))


def test_sizes_are_read_from_an_ldmbert_config_and_back():
    config = transformer_from_diffusers_config(BERT, 'folder')
    assert config == dict(
        type='TokenTransformer',
        tokenizer=dict(type='BertTokens', pretrained='folder', max_length=6),
        vocab_size=11,
        max_length=6,
        embed_dim=12,
        num_layers=2,
        num_heads=3,
        head_channels=5,
        logits=True,
    )
    assert transformer_to_diffusers_config(config).items() >= BERT.items()


@pytest.mark.parametrize(
    'theirs, message',
    [
        (
            dict(model_type='clip_text_model'),
            "has no counterpart here: only 'ldmbert' has",
        ),
        (dict(activation_function='relu'), "only 'gelu' has"),
        (dict(encoder_ffn_dim=50), 'encoder_ffn_dim=50 .* only 48 has'),
    ],
)
def test_an_ldmbert_that_is_another_network_is_refused(theirs, message):
    with pytest.raises(ValueError, match=message):
        transformer_from_diffusers_config({**BERT, **theirs})


@pytest.fixture(scope='module')
def clip():
    """The class, and a model of it."""
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    return CLIPTextModel, noisy(CLIPTextModel(CLIPTextConfig(**CLIP)))


def unchanged(name):
    return name


@pytest.mark.parametrize(
    'rename, extra',
    [
        (unchanged, {}),
        ('text_model.{}'.format, {}),
        (
            'text_model.{}'.format,
            {'text_model.embeddings.position_ids': torch.arange(6)[None]},
        ),
        (unchanged, {'embeddings.position_ids': torch.arange(6)[None]}),
    ],
)
@torch.no_grad()
def test_a_clip_folder_of_any_release_is_the_same_encoder(
    clip, tmp_path, rename, extra
):
    _, model = clip
    theirs, weights = stored(model, tmp_path)
    config = text_encoder_from_diffusers_config(theirs, 'tokens')
    assert config['config'] == CLIP
    ours = MODELS.build(config)
    other = {rename(name): weight for name, weight in weights.items()} | extra
    load_weights(ours, CLIP_KEYS.read(other, config), 'theirs')
    ours.tokenizer = lambda *_: IDS
    assert torch.equal(ours([], KEEP), model(IDS).last_hidden_state)
    back = text_encoder_to_diffusers(ours.state_dict(), config)
    equal({n.removeprefix('text_model.'): w for n, w in back.items()}, weights)


@pytest.mark.parametrize('layer', ['last', 'penultimate'])
@torch.no_grad()
def test_a_text_encoder_of_ours_is_read_by_transformers(clip, tmp_path, layer):
    """Of which diffusers takes the last layer."""
    config = dict(
        type='TextEncoder',
        config=CLIP,
        tokenizer='tokens',
        max_length=6,
        layer=layer,
    )
    ours = noisy(MODELS.build(config))
    ours.tokenizer = lambda *_: IDS
    model = read(
        clip[0],
        tmp_path,
        text_encoder_to_diffusers_config(config),
        text_encoder_to_diffusers(ours.state_dict(), config),
    )
    assert torch.equal(model(IDS).last_hidden_state, ours([], KEEP))


def test_names_are_those_that_all_releases_read(clip):
    config = text_encoder_from_diffusers_config(CLIP, 'tokens')
    weights = MODELS.build(config).state_dict()
    for name in text_encoder_to_diffusers(weights, config):
        assert name.startswith('text_model.')


def test_another_text_encoder_is_refused():
    with pytest.raises(ValueError, match="model_type='t5' has no counterp"):
        text_encoder_from_diffusers_config(dict(model_type='t5'), 'tokens')
    ours = dict(type='TextEncoder', config=dict(model_type='t5'))
    with pytest.raises(ValueError, match="model_type='t5', which cannot be"):
        text_encoder_to_diffusers_config(ours)
    ours = dict(type='TextEncoder', config=dict(model_type='clip_text_model'))
    theirs = text_encoder_to_diffusers_config(ours)
    assert theirs['model_type'] == 'clip_text_model'


def test_weights_that_do_not_fit_are_named(clip):
    config = text_encoder_from_diffusers_config(CLIP, 'tokens')
    weights = clip[1].state_dict()
    del weights['final_layer_norm.bias']
    with pytest.raises(
        ValueError, match='final_layer_norm.bias is missing.*config.json'
    ):
        CLIP_KEYS.read(weights, config)


def test_weights_of_an_ldmbert_that_do_not_fit_are_named():
    config = transformer_from_diffusers_config(BERT)
    weights = transformer_to_diffusers(
        MODELS.build(config).state_dict(), config
    )
    weights['model.layers.1.fc1.bias'] = torch.zeros(3)
    with pytest.raises(
        ValueError, match=r'1.fc1.bias has shape \(3,\) .*config.json'
    ):
        LDMBERT_KEYS.read(weights, config)


def test_a_pretrained_encoder_is_there_already():
    config = dict(type='TextEncoder', pretrained='some/folder')
    with pytest.raises(ValueError, match="'some/folder', which is a CLIPTex"):
        text_encoder_to_diffusers_config(config)
