"""The first stage's architecture is that of the checkpoint it comes from."""

import copy

import pytest
import torch
from mmengine.config import Config

from mmldm.apis import init_model
from mmldm.apis.first_stages import check_first_stage, take_first_stage
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint
from mmldm.utils.model_file import write_model_file
from mmldm.utils.stored_config import store_config


@pytest.fixture
def stored(tiny_autoencoder, tmp_path):
    """Writes what a first stage's training leaves, trained with these."""

    def stored(path, **options):
        autoencoder = dict(tiny_autoencoder, **options)
        config = dict(type='FirstStage', autoencoder=autoencoder)
        weights = MODELS.build(config).state_dict()
        path = tmp_path / path
        path.parent.mkdir(exist_ok=True)
        if path.suffix == '.safetensors':
            write_model_file(path, weights, config)
        else:
            meta = dict(cfg=store_config(dict(model=config)))
            write_checkpoint(dict(state_dict=weights, meta=meta), path)
        return path

    return stored


def taken(source, **stated):
    """The config of an editor that names a first stage, completed."""
    model = dict(autoencoder_checkpoint=str(source), **stated)
    take_first_stage(model)
    return model


@pytest.mark.parametrize(
    'file, source',
    [
        ('first.pth', 'first.pth'),
        ('work/iter_3.pth', 'work'),
        ('model.safetensors', 'model.safetensors'),
        ('converted/model.safetensors', 'converted'),
    ],
)
def test_it_is_read_from_whatever_holds_it(
    stored, tiny_autoencoder, tmp_path, file, source
):
    stored(file, norm_groups=2)
    model = taken(tmp_path / source)
    found = dict(model['autoencoder'])
    found['channel_mults'] = tuple(found['channel_mults'])
    assert found == dict(tiny_autoencoder, norm_groups=2)


def test_what_a_config_states_counts(stored):
    model = taken(stored('a.pth'), autoencoder=dict(latent_scale=3.0))
    assert model['autoencoder']['latent_scale'] == 3.0
    assert model['autoencoder']['type'] == 'AutoencoderKL'


def test_what_only_training_reads_is_left_out(stored):
    quantizer = dict(num_codes=16, ema_decay=0.9, revive_after=3)
    path = stored('a.pth', type='AutoencoderVQ', quantizer=quantizer)
    found = taken(path)['autoencoder']
    assert found['quantizer'] == dict(type='VectorQuantizer', num_codes=16)
    found = taken(stored('b.pth', norm_groups=4, starts_as_resizing=True))
    assert 'starts_as_resizing' not in found['autoencoder']


@pytest.mark.parametrize(
    'trained, other',
    [
        (dict(norm_groups=2), dict(norm_groups=4)),
        (dict(image_skip=True), {}),
        ({}, dict(image_skip=True)),
        (dict(type='AutoencoderVQ', quantizer=dict(num_codes=16)), {}),
    ],
)
def test_another_architecture_is_refused(
    stored, tiny_autoencoder, trained, other
):
    """No shape would tell norm groups and image skips."""
    key = [*trained, *other][0]
    path = stored('a.pth', **trained)
    stated = dict(tiny_autoencoder, **other)
    message = rf'autoencoder\.{key}=.*a.pth was trained with .*remove model'
    with pytest.raises(ValueError, match=message):
        taken(path, autoencoder=stated)


def test_another_codebook_is_refused(stored, tiny_autoencoder):
    vq = dict(tiny_autoencoder, type='AutoencoderVQ')
    path = stored('a.pth', **vq, quantizer=dict(num_codes=16, normalize=True))
    stated = dict(vq, quantizer=dict(num_codes=16))
    with pytest.raises(ValueError, match='quantizer.normalize=False'):
        taken(path, autoencoder=stated)


@pytest.mark.parametrize(
    'options',
    [
        dict(norm_groups=2),
        dict(latent_scale=0.5, tile_size=64),
        dict(
            type='mmldm.AutoencoderVQ',
            quantizer=dict(type='VectorQuantizer', num_codes=16, beta=0.5),
        ),
    ],
)
def test_the_same_architecture_may_be_stated(
    stored, tiny_autoencoder, options
):
    trained = dict(quantizer=dict(num_codes=16), type='AutoencoderVQ')
    is_vq = 'quantizer' in options
    path = stored('a.pth', norm_groups=2, **(trained if is_vq else {}))
    stated = dict(tiny_autoencoder, norm_groups=2) | options
    stated['channel_mults'] = tuple(stated['channel_mults'])
    before = copy.deepcopy(stated)
    assert taken(path, autoencoder=stated)['autoencoder'] == before


def test_weights_alone_say_nothing(stored, tmp_path, ldm_config):
    path = tmp_path / 'weights.pth'
    write_checkpoint(dict(state_dict={'a': torch.ones(1)}), path)
    assert 'autoencoder' not in taken(path)
    config = ldm_config(autoencoder_checkpoint=str(path), autoencoder=None)
    with pytest.raises(ValueError, match='model.autoencoder is missing'):
        MODELS.build(config)


@pytest.mark.parametrize('model', [None, 3, {}, dict(autoencoder=None)])
def test_a_model_that_names_none_stays_as_it_is(model):
    before = copy.deepcopy(model)
    take_first_stage(model)
    assert model == before


def test_a_first_stage_that_is_not_there_is_refused_by_the_model(ldm_config):
    assert taken('nowhere').keys() == {'autoencoder_checkpoint'}
    config = ldm_config(autoencoder_checkpoint='nowhere', autoencoder=None)
    with pytest.raises(FileNotFoundError, match='train the first stage'):
        MODELS.build(config)


def test_a_folder_of_diffusers_names_the_converter(tmp_path):
    (tmp_path / 'config.json').write_text('{"_class_name": "AutoencoderKL"}')
    with pytest.raises(ValueError, match='diffusers_to_mmldm.py'):
        taken(tmp_path)


def test_what_a_file_must_not_ask_for_is_refused(tiny_autoencoder, tmp_path):
    autoencoder = dict(tiny_autoencoder, type='os.system')
    model = dict(type='FirstStage', autoencoder=autoencoder)
    meta = dict(cfg=store_config(dict(model=model)))
    write_checkpoint(dict(state_dict={}, meta=meta), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match="a.pth: .*'os.system'"):
        taken(tmp_path / 'a.pth')


def test_a_model_is_built_and_reads_as_the_first_stage_does(
    stored, tmp_path, ldm_config, tiny_autoencoder
):
    """By a config file that says nothing of it but where it lies."""
    path = stored('first.pth', norm_groups=2)
    config = Config(dict(model=ldm_config(autoencoder=None)))
    config.model.autoencoder_checkpoint = str(path)
    (tmp_path / 'ldm.py').write_text(config.pretty_text)
    whole = ldm_config(autoencoder=dict(tiny_autoencoder, norm_groups=2))
    weights = MODELS.build(whole).state_dict()
    first = {
        name: weight
        for name, weight in torch.load(path)['state_dict'].items()
        if name.startswith('autoencoder.')
    }
    write_checkpoint(dict(state_dict=weights | first), tmp_path / 'x.pth')
    model = init_model(tmp_path / 'ldm.py', tmp_path / 'x.pth')
    expected = MODELS.build(whole)
    expected.load_state_dict(weights | first)
    image = torch.rand(1, 3, 8, 8)
    found = model.autoencoder.encode(image)
    assert torch.equal(found, expected.autoencoder.eval().encode(image))


DIGITS = 'autoencoder_kl-f4_1xb32-300_digits-32x32'


def test_before_it_is_trained_a_config_of_ours_says_what_it_is():
    """By the name of its work directory; what is stated counts."""
    model = taken(f'anywhere/{DIGITS}', autoencoder=dict(latent_scale=2.0))
    assert model['autoencoder']['channel_mults'] == (1, 2, 2)
    assert model['autoencoder']['latent_scale'] == 2.0
    stated = dict(type='IdentityAutoencoder')
    assert taken(f'anywhere/{DIGITS}', autoencoder=stated)['autoencoder'] == (
        stated
    )


def test_a_training_without_it_says_which_config_to_train(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    model = dict(autoencoder_checkpoint=f'work_dirs/{DIGITS}')
    wanted = f'tools/train.py mmldm::autoencoder/{DIGITS}.py'
    with pytest.raises(FileNotFoundError, match=wanted):
        check_first_stage(model)
    check_first_stage(dict(autoencoder_checkpoint='nowhere'))  # the model does
    check_first_stage(dict(autoencoder_checkpoint=str(tmp_path)))
