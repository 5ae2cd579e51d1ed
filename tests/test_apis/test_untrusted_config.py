import copy
import re
import sys

import pytest

from mmldm.apis.config.arguments import arguments_of
from mmldm.apis.referenced_files import files_of
from mmldm.apis.untrusted_config import REGISTRIES, check_untrusted
from mmldm.registry import MODELS


def check(config, may_read=False):
    check_untrusted(config, 'a.safetensors', may_read)


def test_a_model_of_our_parts_passes(ldm_config):
    config = ldm_config().to_dict()
    check(config)
    check(put(config, 'guidance.type', 'mmldm.NoGuidance'))
    # As where the model was trained from a config that inherits from ours.
    check(put(config, 'denoiser._scope_', 'mmldm'))


def put(config, path, value):
    """The config with a value at a dotted path."""
    node = config
    *steps, last = path.split('.')
    for step in steps:
        node = node[int(step)] if isinstance(node, list) else node[step]
    node[last] = value
    return config


@pytest.fixture
def refusal(ldm_config):
    """The message for the tiny model with a value at a path; one line."""

    def refusal(path, value):
        config = put(ldm_config().to_dict(), path, value)
        with pytest.raises(ValueError) as error:
            check(config)
        text = str(error.value)
        assert text.startswith('a.safetensors: its config says ')
        assert '\n' not in text
        return text

    return refusal


@pytest.mark.parametrize(
    'hostile',
    [
        'os.system',
        'subprocess.run',
        'builtins.eval',
        'mmengine.utils.import_modules_from_strings',
        'mmldm.models.LatentDiffusion',
        'mmldm.Conv2d',
        'mmldm.mmldm.LatentDiffusion',
        'evil.Module',  # imports evil.registry
        'Conv2d',  # mmengine's and mmcv's are no parts of our models
        'PretrainedInit',
        'antigravity',
        '',
        ['os.system'],
        None,
    ],
)
@pytest.mark.parametrize(
    'path',
    ['type', 'denoiser.type', 'conditioner.embedders.0.type', 'denoiser.x'],
)
def test_only_registered_names_are_types(refusal, path, hostile):
    if path == 'denoiser.x':  # where no part is built, it is refused too
        hostile = [dict(type=hostile)]
        path_told = 'denoiser.x.0.type'
    else:
        path_told = path
    text = refusal(path, hostile)
    assert f'says model.{path_told}=' in text
    assert 'not a registered part of a model' in text


def test_nothing_that_is_named_is_imported(refusal, tmp_path, monkeypatch):
    """Neither NAME nor NAME.registry, as mmengine would."""
    touched = tmp_path / 'touched'
    code = f"open({str(touched)!r}, 'w')"
    (tmp_path / 'evil_scope').mkdir()
    for name in ('evil.py', 'evil_scope/__init__.py'):
        (tmp_path / name).write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    for path, value in (
        ('denoiser.type', 'evil.Module'),
        ('denoiser.type', 'evil_scope.Module'),
        ('denoiser._scope_', 'evil_scope'),
        ('custom_imports', dict(imports=['evil'])),
        ('denoiser.custom_imports', dict(imports=['evil'])),
    ):
        refusal(path, value)
    assert not touched.exists()
    assert not {'evil', 'evil_scope'} & set(sys.modules)


@pytest.mark.parametrize(
    'path, value, told',
    [
        ('custom_imports', dict(imports=['a']), 'and importing is refused'),
        ('denoiser._scope_', 'mmdet', 'and importing is refused'),
        ('autoencoder_checkpoint', 'a.pth', 'reading another file is'),
        ('guide_checkpoint', 'a', 'reading another file is refused'),
        ('denoiser', dict(type='LPIPS', vgg_weights='a'), 'vgg_weights='),
        ('denoiser', dict(type='LPIPS', linear_weights=['a']), 'another file'),
        ('conditioner.embedders.0.name', '/etc/passwd', 'other than a word'),
        ('conditioner.embedders.0.name', '../a', 'other than a word'),
        ('conditioner.embedders.0.name', 'a/../b', 'other than a word'),
        ('conditioner.embedders.0.name', '~/a', 'other than a word'),
        ('conditioner.embedders.0.name', 'http://a/b', 'other than a word'),
        ('conditioner.embedders.0.name', '\\\\host\\a', 'other than a word'),
        ('conditioner.embedders.0.names', ['a', 'b/c/d'], "names.1='b/c/d'"),
    ],
)
def test_nothing_else_may_be_read_or_imported(refusal, path, value, told):
    assert told in refusal(path, value)


def text_model(**tokenizer):
    return dict(
        type='TokenTransformer',
        tokenizer=dict(type='BertTokens', **tokenizer),
        vocab_size=3,
        max_length=4,
        embed_dim=8,
        num_layers=1,
    )


@pytest.mark.parametrize(
    'embedder',
    [
        text_model(pretrained='bert-base-uncased'),
        text_model(pretrained='/home/me/bert'),
        dict(type='TextEncoder', config={}, tokenizer='openai/clip-vit'),
        dict(type='TextEncoder', config={}, tokenizer='../tokenizer'),
    ],
)
def test_tokenizers_are_data(ldm_config, embedder):
    config = ldm_config().to_dict()
    check(put(config, 'conditioner.embedders', [embedder]))


def test_weights_that_lie_elsewhere_are_no_data(refusal):
    for pretrained in ('/home/me/clip', 'openai/clip-vit-large-patch14'):
        embedder = dict(type='TextEncoder', pretrained=pretrained)
        told = refusal('conditioner.embedders', [embedder])
        assert f'embedders.0.pretrained={pretrained!r}, and reading' in told


def test_networks_that_judge_images_are_no_parts_of_models(refusal):
    """Without arguments, one downloads its weights."""
    told = refusal('autoencoder', dict(type='DINOv2Features'))
    assert "autoencoder.type='DINOv2Features', which is not a reg" in told


# What a class would call an argument that names a file.
NAMES_A_FILE = re.compile(
    r'(.*_)?(checkpoint|weights|path|file|folder|dir|root|tokenizer)'
    r'|pretrained'
)


def test_every_class_of_ours_says_which_arguments_name_files():
    """And has these arguments."""
    declared = set()
    for cls in [c for r in REGISTRIES for c in r.module_dict.values()]:
        arguments = arguments_of(cls)[0]
        own = {*files_of(cls), *files_of(cls, 'data_folders')}
        assert own <= {*arguments}, cls
        for name, parameter in arguments.items():
            if NAMES_A_FILE.fullmatch(name):
                is_text = 'str' in str(parameter.annotation)
                assert (name in own) == is_text, (cls, name)
        declared |= own
    assert declared >= {'autoencoder_checkpoint', 'guide_checkpoint'}
    assert declared >= {'pretrained', 'tokenizer', 'vgg_weights'}


def test_what_may_be_read_passes(ldm_config):
    path = '/home/me/first_stage.pth'
    config = ldm_config(autoencoder_checkpoint=path).to_dict()
    check(config, may_read=True)
    for key, value in (('type', 'os.system'), ('custom_imports', 'evil')):
        hostile = put(copy.deepcopy(config), f'denoiser.{key}', value)
        with pytest.raises(ValueError, match='a.safetensors: its config says'):
            check(hostile, may_read=True)


def test_what_is_none_passes(ldm_config):
    config = ldm_config().to_dict()
    check(dict(config, autoencoder_checkpoint=None, guide_checkpoint=None))


def test_a_class_of_the_users_passes_once_it_is_registered(refusal):
    near = refusal('denoiser.type', 'ToyDenoiser')
    assert 'import its module first' in near
    config = dict(type='ToyDenoiser', width=3)

    class ToyDenoiser:
        def __init__(self, width: int) -> None: ...

    MODELS.register_module(module=ToyDenoiser)
    try:
        check(config)
    finally:
        del MODELS.module_dict['ToyDenoiser']


def test_a_misspelt_name_is_corrected(refusal):
    text = refusal('denoiser.type', 'DenoisingUnet')
    assert "a model; did you mean 'DenoisingUNet'?; nothing else" in text


def test_an_argument_that_the_class_lacks_is_named(ldm_config):
    config = put(ldm_config().to_dict(), 'denoiser.chanels', 3)
    with pytest.raises(ValueError, match="model.denoiser.*'chanels'"):
        check(config)


@pytest.mark.parametrize('config', [{}, [], dict(denoiser={})])
def test_a_config_of_no_model_is_refused(config):
    with pytest.raises(
        ValueError, match='a.safetensors: its config has no model type'
    ):
        check(config)


@pytest.mark.parametrize('nest', [lambda n: [n], lambda n: dict(a=n)])
def test_a_config_without_end_is_refused(nest):
    node = 1
    for _ in range(800):
        node = nest(node)
    with pytest.raises(ValueError, match='nested too deeply'):
        check(dict(type='LatentDiffusion', a=node))


def test_long_values_are_cut(refusal):
    assert len(refusal('denoiser.type', 'a' * 10_000)) < 400


def test_the_danger_is_real(tmp_path):
    """What mmengine does with such a type."""
    touched = tmp_path / 'touched'
    MODELS.build(dict(type='os.system', command=f'touch {touched}'))
    assert touched.exists()


@pytest.mark.parametrize('number', [10**400, -(2**63) - 1, float('nan')])
def test_numbers_that_no_network_takes_are_refused(ldm_config, number):
    """Also in dicts that transformers reads, as of a text encoder."""
    embedder = dict(
        type='TextEncoder', tokenizer='a', config=dict(eos_token_id=number)
    )
    config = ldm_config().to_dict()
    with pytest.raises(ValueError, match='config.eos_token_id'):
        check(put(config, 'conditioner.embedders', [embedder]))
