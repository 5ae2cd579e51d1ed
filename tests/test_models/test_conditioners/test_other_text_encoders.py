"""Text encoders that are not CLIP's, small and untrained."""

import json

import pytest
import torch

from mmldm.models.conditioners import TextEncoder
from mmldm.structures import LDMDataSample
from mmldm.utils.checkpoint import load_weights

KEEP = torch.tensor([False, False])
WORDS = ['<pad>', '<s>', '</s>', '<unk>', 'a', 'red', 'blue', 'circle']
# 'a red circle' and 'blue', each with an end.
IDS = torch.tensor([[4, 5, 7, 2, 0, 0], [6, 2, 0, 0, 0, 0]])
MASK = (IDS != 0).long()
SIZES = dict(
    vocab_size=8,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=3,
    num_attention_heads=2,
)
T5 = dict(
    vocab_size=8,
    d_model=16,
    d_kv=8,
    d_ff=32,
    num_layers=2,
    num_heads=2,
    feed_forward_proj='gated-gelu',
)
BART = dict(
    vocab_size=8,
    d_model=16,
    encoder_layers=3,
    decoder_layers=2,
    encoder_attention_heads=2,
    decoder_attention_heads=2,
    encoder_ffn_dim=32,
    decoder_ffn_dim=32,
)
# Arguments, and who does what behind the last layer.
KINDS = {
    't5': (T5, lambda model, x: model.encoder.final_layer_norm(x)),
    'bert': (SIZES, lambda model, x: x),
    'roberta': (dict(SIZES, pad_token_id=0), lambda model, x: x),
    'llama': (dict(SIZES, pad_token_id=0), lambda model, x: model.norm(x)),
    'bart': (BART, lambda model, x: x),
}


@pytest.fixture
def samples():
    return [LDMDataSample(caption=c) for c in ('a red circle', 'blue')]


@pytest.fixture(scope='session')
def words(tmp_path_factory):
    """Folder of a tokenizer of words; without an end of captions, or not."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    def words(name='end', ends=True, **special):
        tokenizer = Tokenizer(
            models.WordLevel({w: i for i, w in enumerate(WORDS)}, '<unk>')
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        if ends:
            tokenizer.post_processor = processors.TemplateProcessing(
                single='$A </s>', special_tokens=[('</s>', 2)]
            )
        folder = tmp_path_factory.mktemp(name)
        special = dict(pad_token='<pad>', eos_token='</s>') | special
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, unk_token='<unk>', **special
        ).save_pretrained(folder)
        return str(folder)

    return words


@pytest.fixture(scope='session')
def tokenizer(words):
    return words()


@pytest.fixture(scope='session')
def trained(tmp_path_factory):
    """(folder, model) of a kind; with its decoder, if it has one."""
    from transformers import CONFIG_MAPPING, AutoModel

    def trained(kind):
        torch.manual_seed(1)
        folder = str(tmp_path_factory.mktemp(kind))
        config = CONFIG_MAPPING[kind](**KINDS[kind][0])
        model = AutoModel.from_config(config).eval()
        for name, weight in model.named_parameters():
            if 'norm' in name.lower():  # else a second one does nothing
                torch.nn.init.uniform_(weight, 0.5, 1.5)
        model.save_pretrained(folder)
        return folder, model

    return trained


@pytest.fixture
def build(tokenizer):
    def build(**arguments):
        arguments.setdefault('tokenizer', tokenizer)
        return TextEncoder(**dict(max_length=6) | arguments)

    return build


def hidden_states(model):
    """Of transformers' own encoder, all of them, and what comes out."""
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    out = model(IDS, attention_mask=MASK, output_hidden_states=True)
    return out.hidden_states, out.last_hidden_state


@pytest.mark.parametrize('kind', KINDS)
@torch.no_grad()
def test_it_is_what_transformers_computes(build, trained, samples, kind):
    folder, model = trained(kind)
    hidden, last = hidden_states(model)
    encoder = build(pretrained=folder)
    assert encoder.dim == 16
    torch.testing.assert_close(encoder(samples, KEEP), last)
    before = build(pretrained=folder, layer='penultimate')(samples, KEEP)
    expected = KINDS[kind][1](model, hidden[-2])
    torch.testing.assert_close(before, expected)
    assert not torch.allclose(before, last)


@pytest.mark.parametrize('kind', KINDS)
@torch.no_grad()
def test_padding_is_not_attended_to(build, trained, samples, kind):
    encoder = build(pretrained=trained(kind)[0])
    short = build(pretrained=encoder.pretrained, max_length=4)
    torch.testing.assert_close(
        encoder(samples, KEEP)[:, :4], short(samples, KEEP)
    )


@torch.no_grad()
def test_an_empty_caption_without_tokens_is_finite(
    build, trained, samples, words
):
    folder, model = trained('bert')
    encoder = build(pretrained=folder, tokenizer=words(ends=False))
    tokens = encoder(samples, torch.tensor([True, False]))
    expected = model(torch.zeros(1, 6, dtype=torch.long)).last_hidden_state
    torch.testing.assert_close(tokens[:1], expected)


@pytest.mark.parametrize('kind', KINDS)
def test_a_config_is_one_of_transformers(build, trained, samples, kind):
    folder, _ = trained(kind)
    encoder = build(pretrained=folder, layer='penultimate')
    expected = encoder(samples, KEEP)
    arguments = encoder.include_network()
    assert arguments['config']['model_type'] == kind
    json.dumps(arguments)  # a model file holds them
    copy = TextEncoder(**arguments)
    load_weights(copy, encoder.state_dict(), 'included')
    assert torch.equal(copy(samples, KEEP), expected)
    assert copy.include_network() == arguments


def test_neither_decoder_nor_pooler_is_kept(build, trained):
    for kind in ('t5', 'bart', 'roberta'):
        names = build(pretrained=trained(kind)[0]).network.state_dict()
        assert not [n for n in names if 'pool' in n or 'decoder' in n]
        assert len([n for n in names if 'embed_tokens' in n]) <= 1


def test_a_masked_language_model_without_a_pooler_is_read(
    build, trained, tmp_path
):
    """As roberta-base is stored."""
    from transformers import RobertaConfig, RobertaForMaskedLM

    RobertaForMaskedLM(RobertaConfig(**KINDS['roberta'][0])).save_pretrained(
        tmp_path
    )
    assert build(pretrained=str(tmp_path)).dim == 16


def test_of_a_whole_clip_model_it_is_the_part_that_reads(
    build, clip_tokenizer, clip_config, tmp_path
):
    from transformers import CLIPConfig, CLIPModel

    vision = dict(SIZES, image_size=8, patch_size=4)
    del vision['vocab_size']
    torch.manual_seed(2)
    model = CLIPModel(
        CLIPConfig(text_config=clip_config, vision_config=vision)
    )
    model.save_pretrained(tmp_path)
    encoder = build(pretrained=str(tmp_path), tokenizer=clip_tokenizer)
    weights = getattr(model.text_model, 'text_model', model.text_model)
    for name, weight in weights.state_dict().items():
        assert torch.equal(encoder.network.state_dict()[name], weight)
    config = dict(model_type='clip', text_config=clip_config)
    build(config=config).network.load_state_dict(weights.state_dict())


@pytest.mark.parametrize(
    'config, message',
    [
        (dict(model_type='vit'), "model_type='vit', which is not a text enc"),
        (dict(model_type='whisper'), "'whisper', which is not a text encoder"),
        (dict(model_type='brt'), r"'brt', which .* did you mean .*'bert'"),
        (dict(model_type='t5', d_modl=8), "unknown key 'd_modl': T5Config"),
        (
            dict(SIZES, model_type='roberta', max_position_embeddings=8),
            'max_length=7, but the network has 6 positions',
        ),
    ],
)
def test_what_is_no_text_encoder_is_refused(build, config, message):
    with pytest.raises(ValueError, match=message):
        build(config=config, max_length=7)


def test_a_folder_of_another_network_is_refused(build, tmp_path):
    from transformers import ViTConfig, ViTModel

    sizes = {k: v for k, v in SIZES.items() if k != 'vocab_size'}
    ViTModel(ViTConfig(**sizes, image_size=8, patch_size=4)).save_pretrained(
        tmp_path
    )
    with pytest.raises(ValueError, match="'vit', which is not a text enc"):
        build(pretrained=str(tmp_path))


@pytest.mark.parametrize('kind', ['bert', 'theirs'])
def test_code_of_a_folder_is_refused_and_not_run(
    build, trained, tmp_path, kind
):
    _, model = trained('bert')
    model.save_pretrained(tmp_path)
    path = tmp_path / 'config.json'
    theirs = dict(AutoConfig='own.Config', AutoModel='own.Model')
    config = json.loads(path.read_text())
    path.write_text(
        json.dumps(config | dict(auto_map=theirs, model_type=kind))
    )
    (tmp_path / 'own.py').write_text("raise SystemExit('it was run')")
    with pytest.raises(ValueError, match='its own code, which is not exe'):
        build(pretrained=str(tmp_path))


@pytest.mark.parametrize('nested', [False, True])
def test_a_folder_cannot_name_a_package_that_quantizes(
    build, trained, tmp_path, nested
):
    _, model = trained('bert')
    model.save_pretrained(tmp_path)
    path = tmp_path / 'config.json'
    config = json.loads(path.read_text())
    part = dict(quantization_config=dict(quant_method='bitsandbytes'))
    path.write_text(
        json.dumps(config | (dict(text_config=part) if nested else part))
    )
    with pytest.raises(ValueError, match='quantization_config.*remove the'):
        build(pretrained=str(tmp_path))


def test_a_folder_cannot_name_the_code_of_its_attention(
    build, trained, tmp_path
):
    _, model = trained('bert')
    model.save_pretrained(tmp_path)
    path = tmp_path / 'config.json'
    config = json.loads(path.read_text())
    # transformers would fetch a package of this name and run it.
    path.write_text(json.dumps(config | dict(attn_implementation='a/b')))
    network = build(pretrained=str(tmp_path)).network
    assert network.config._attn_implementation in ('sdpa', 'eager')


def test_code_of_a_tokenizer_is_refused_and_not_run(
    build, trained, samples, words, tmp_path
):
    folder = words('own')
    path = tmp_path.joinpath(folder, 'tokenizer_config.json')
    config = dict(
        auto_map=dict(AutoTokenizer=['own.Own', None]), tokenizer_class='Own'
    )
    path.write_text(json.dumps(config))
    tmp_path.joinpath(folder, 'own.py').write_text("raise SystemExit('run')")
    encoder = build(pretrained=trained('bert')[0], tokenizer=folder)
    with pytest.raises(ValueError, match='neither a folder with a tokenizer'):
        encoder(samples, KEEP)


def test_a_tokenizer_without_padding_is_refused(
    build, trained, samples, words
):
    encoder = build(
        pretrained=trained('bert')[0], tokenizer=words(pad_token=None)
    )
    with pytest.raises(ValueError, match='may name a pad_token'):
        encoder(samples, KEEP)


def test_layers_that_are_shared_are_no_last_layer(build):
    config = dict(SIZES, model_type='albert', embedding_size=8)
    build(config=config)
    with pytest.raises(ValueError, match="AlbertModel .*set layer='last'"):
        build(config=config, layer='penultimate')


def test_only_a_clip_takes_another_token_for_padding(build, trained):
    with pytest.raises(ValueError, match='pad_id=0 is for a CLIP, but'):
        build(pretrained=trained('bert')[0], pad_id=0)
