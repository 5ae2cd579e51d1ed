"""init_model, the door for models of all kinds."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import save_file

from mmldm.apis import build_model, init_model, models, publish_model
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import read_checkpoint, write_checkpoint
from mmldm.utils.model_file import write_model_file
from mmldm.utils.stored_config import store_config


@pytest.fixture
def trained(tiny_ldm):
    """A model with weights of its own."""
    torch.manual_seed(1)
    return tiny_ldm()


@pytest.fixture
def files(tmp_path, ldm_config, trained):
    """The model in every form that there is, by kind."""
    config = ldm_config().to_dict()
    cfg = Config(dict(model=config))
    weights = trained.state_dict()
    for name in ('converted', 'work'):
        (tmp_path / name).mkdir()
    cfg.dump(tmp_path / 'converted/config.py')
    write_model_file(tmp_path / 'converted/model.safetensors', weights, config)
    cfg.dump(tmp_path / 'work/tiny.py')
    checkpoint = dict(
        state_dict=weights, meta=dict(cfg=store_config(cfg.to_dict()))
    )
    write_checkpoint(checkpoint, tmp_path / 'work/iter_4.pth')
    shutil.copy(tmp_path / 'work/tiny.py', tmp_path / 'config.py')
    model_file = tmp_path / 'model.safetensors'
    shutil.copy(tmp_path / 'converted/model.safetensors', model_file)
    shutil.copy(tmp_path / 'work/iter_4.pth', tmp_path / 'alone.pth')
    save_file(weights, tmp_path / 'weights.safetensors')
    return tmp_path


WAYS = {
    'config and checkpoint': ('config.py', 'alone.pth'),
    'config and work directory': ('config.py', 'work'),
    'config and weights': ('config.py', 'weights.safetensors'),
    'converted folder': ('converted',),
    'model file': ('model.safetensors',),
    'training checkpoint': ('alone.pth',),
    'work directory': ('work',),
    'folder and checkpoint': ('converted', 'alone.pth'),
}


@pytest.mark.parametrize('names', WAYS.values(), ids=WAYS)
def test_every_way_leads_to_the_model(
    files, names, trained, labelled, ldm_config
):
    model = init_model(*(files / name for name in names), device='cpu')
    assert not model.training
    assert next(model.parameters()).device == torch.device('cpu')
    # A model file gives lists for tuples; only JSON has one word for both.
    found, wanted = (
        json.dumps(config, sort_keys=True)
        for config in (model.cfg.model, ldm_config())
    )
    assert found == wanted
    expected, found = (
        m.predict(None, [labelled(3, address=(0, 0))])[0].pred_img
        for m in (trained, model)
    )
    assert torch.equal(expected, found)


def test_paths_may_be_text(files, trained):
    for source in ('model.safetensors', 'work'):
        model = init_model(str(files / source))
        assert model.state_dict().keys() == trained.state_dict().keys()


def test_the_newest_checkpoint_of_a_work_directory_is_taken(files, trained):
    path = files / 'work/iter_8.pth'
    weights = {n: torch.zeros_like(w) for n, w in trained.state_dict().items()}
    meta = read_checkpoint(files / 'work/iter_4.pth')['meta']
    write_checkpoint(dict(state_dict=weights, meta=meta), path)
    model = init_model(files / 'work')
    assert not any(weight.any() for weight in model.parameters())


def test_the_checkpoint_that_is_given_counts(files, trained):
    path = files / 'other.pth'
    weights = {n: torch.zeros_like(w) for n, w in trained.state_dict().items()}
    write_checkpoint(dict(state_dict=weights), path)
    for source in ('converted', 'work'):
        model = init_model(files / source, path)
        assert not any(weight.any() for weight in model.parameters())


@pytest.mark.parametrize('name', ['alone.pth', 'model.safetensors'])
def test_weights_that_are_loaded_are_not_made_before(files, name):
    """Random numbers for them would take longer than reading them."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    init_model(files / name)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_does_not_change_with_its_file(files, trained):
    """The file is mapped while it is read, and not longer."""
    path = files / 'alone.pth'
    model = init_model(path)
    content = path.read_bytes()
    with open(path, 'r+b') as file:
        file.write(bytes(len(content)))
    wanted = trained.state_dict()
    for weight_name, weight in model.state_dict().items():
        assert torch.equal(weight, wanted[weight_name]), weight_name
    assert str(path) not in Path('/proc/self/maps').read_text()


def test_the_device_arrives(files):
    with pytest.raises(ValueError, match="device='nonsense' is not available"):
        init_model(files / 'model.safetensors', device='nonsense')
    for device in ('cpu', torch.device('meta')):
        model = init_model(files / 'model.safetensors', device=device)
        assert next(model.parameters()).device == torch.device(device)


def test_a_device_that_is_not_there_is_named_before_anything_is_read():
    with pytest.raises(ValueError, match="device='meta:x' is not available"):
        init_model('no_such_file', device='meta:x')


def first_stage(autoencoder, **parts):
    return dict(type='FirstStage', autoencoder=autoencoder, **parts)


def test_what_only_training_needs_is_left_out(
    tmp_path, tiny_autoencoder, ldm_config
):
    """LPIPS would ask for its weights."""
    with_losses = first_stage(
        tiny_autoencoder,
        perceptual=dict(type='LaplacianPyramidLoss'),
        adversarial=dict(
            type='AdversarialLoss',
            weight=0.5,
            start=2,
            discriminator=dict(
                type='PatchDiscriminator', channels=8, num_layers=2
            ),
        ),
        equivariance=dict(type='Equivariance', min_scale=0.75),
    )
    table = dict(type='LearnedLogVariance')
    for config, parts in (
        (with_losses, ('perceptual', 'adversarial', 'equivariance')),
        (ldm_config(log_variance=table).to_dict(), ('log_variance',)),
    ):
        source = MODELS.build(config)
        weights = source.state_dict()
        checkpoint = dict(
            state_dict=weights,
            meta=dict(cfg=store_config(dict(model=config))),
        )
        write_checkpoint(checkpoint, tmp_path / 'a.pth')
        model = init_model(tmp_path / 'a.pth')
        for part in parts:
            assert getattr(source, part) is not None
            assert getattr(model, part) is None
        for name, weight in model.state_dict().items():
            assert torch.equal(weight, weights[name])


def test_losses_of_others_are_not_looked_for(tmp_path, tiny_autoencoder):
    model = MODELS.build(first_stage(tiny_autoencoder))
    config = first_stage(
        tiny_autoencoder, perceptual=dict(type='LPIPS', vgg_weights='a')
    )
    cfg = Config(dict(model=config))
    write_checkpoint(dict(state_dict=model.state_dict()), tmp_path / 'a.pth')
    built = build_model(cfg, tmp_path / 'a.pth', device='cpu')
    assert built.perceptual is None
    assert built.cfg is cfg


def test_a_checkpoint_alone_reads_its_first_stage(
    tmp_path, ldm_config, awaken
):
    whole = MODELS.build(ldm_config())
    first = tmp_path / 'first.pth'
    write_checkpoint(whole.autoencoder.state_dict(), first)
    cfg = Config(dict(model=ldm_config(autoencoder_checkpoint=str(first))))
    model = awaken(MODELS.build(cfg.model))
    checkpoint = dict(
        state_dict=model.state_dict(),
        meta=dict(cfg=store_config(cfg.to_dict())),
    )
    write_checkpoint(checkpoint, tmp_path / 'a.pth')
    read = init_model(tmp_path / 'a.pth').autoencoder.state_dict()
    for name, weight in whole.autoencoder.state_dict().items():
        assert torch.equal(read[name], weight)


def error_of(*args, kind=ValueError):
    with pytest.raises(kind) as error:
        init_model(*args)
    told = str(error.value)
    assert '\n' not in told
    return told


def test_wrong_sources_are_named(files):
    missing = error_of(files / 'no.py', kind=FileNotFoundError)
    assert 'no.py does not exist: give a config file, a model file' in missing
    checkpoint = (files / 'config.py', files / 'no.pth')
    assert 'no.pth does not exist' in error_of(
        *checkpoint, kind=FileNotFoundError
    )
    assert 'config.py is a config without weights: give checkpoint' in (
        error_of(files / 'config.py')
    )
    for name in ('alone.pth', 'model.safetensors'):
        told = error_of(files / name, files / 'alone.pth')
        assert 'is not a config file, but checkpoint=' in told
    told = error_of(files / 'weights.safetensors')
    assert 'holds weights without a config: give the config file' in told
    (files / 'a.ckpt').touch()
    assert 'compvis_to_mmldm.py' in error_of(files / 'a.ckpt')
    (files / 'empty.py').write_text('a = 1')
    assert 'empty.py has no model' in error_of(
        files / 'empty.py', files / 'alone.pth'
    )


def test_a_folder_of_nothing_says_what_was_looked_for(files):
    (files / 'nothing').mkdir()
    shutil.copy(files / 'config.py', files / 'nothing')
    told = error_of(files / 'nothing')
    for word in (
        *('model.safetensors', 'iter_*.pth'),
        *(
            'model_index.json',
            'config.json',
            'give config file and checkpoint',
        ),
    ):
        assert word in told


def test_no_code_in_a_folder_is_executed(files, trained):
    """Its model file or checkpoint says what is built; its Python nothing."""
    executed = files / 'executed'
    code = f"open({str(executed)!r}, 'w')\nraise SystemExit('executed')\n"
    for folder in ('converted', 'work'):
        for name in ('config.py', 'tiny.py', '__init__.py', 'conftest.py'):
            (files / folder / name).write_text(code)
        for arguments in ((folder,), (folder, 'alone.pth')):
            model = init_model(*(files / name for name in arguments))
            assert model.state_dict().keys() == trained.state_dict().keys()
    publish_model(files / 'work', files / 'published')
    assert not executed.exists()


@pytest.mark.parametrize(
    'checkpoint, told',
    [
        (
            dict(state_dict={}),
            'holds no config: give the config file as source',
        ),
        (dict(state_dict={}, meta=[]), 'holds no config'),
        (
            dict(state_dict={}, meta=dict(cfg='import os')),
            'is not valid JSON .*: give the config file as source',
        ),
        (
            dict(state_dict={}, meta=dict(cfg='{"a": 1}')),
            'its config has no model type',
        ),
        (
            dict(state_dict={}, meta=dict(cfg='{"model": {"type": "a.b"}}')),
            "says model.type='a.b', which is not a registered part",
        ),
    ],
)
def test_a_checkpoint_without_a_config_is_named(tmp_path, checkpoint, told):
    write_checkpoint(checkpoint, tmp_path / 'a.pth')
    assert re.search(told, error_of(tmp_path / 'a.pth'))


@pytest.mark.parametrize(
    'reference', ['/etc/first.pth', '../first.pth', 'a/b.pth', '..', 'a.py']
)
def test_a_model_file_reads_no_other_but_its_neighbours(
    tmp_path, ldm_config, trained, reference
):
    config = ldm_config(autoencoder_checkpoint=reference).to_dict()
    path = tmp_path / 'a.safetensors'
    write_model_file(path, trained.state_dict(), config)
    assert 'and reading another file is refused' in error_of(path)


def test_a_hostile_model_file_runs_nothing(tmp_path, trained, ldm_config):
    executed = tmp_path / 'executed'
    path = tmp_path / 'a.safetensors'
    for config in (
        dict(type='os.system', command=f'touch {executed}'),
        ldm_config().to_dict()
        | dict(guidance=dict(type='os.system', command=f'touch {executed}')),
    ):
        write_model_file(path, trained.state_dict(), config)
        assert "='os.system', which is not a registered part" in error_of(path)
        text = store_config(dict(model=config))
        checkpoint = dict(state_dict={}, meta=dict(cfg=text))
        write_checkpoint(checkpoint, tmp_path / 'a.pth')
        assert "='os.system', which is not a registered part" in (
            error_of(tmp_path / 'a.pth')
        )
    assert not executed.exists()


@pytest.mark.parametrize(
    'change, told',
    [
        (dict(denoiser=dict(channels='a')), "channels='a' must be int"),
        (dict(denoiser=dict(chanels=3)), "no argument 'chanels'"),
        (dict(denoiser=None), 'model.denoiser=None must be dict'),
        (dict(denoiser=dict(channels=128)), 'does not fit this'),
    ],
)
def test_a_config_that_does_not_fit_is_named(
    tmp_path, ldm_config, trained, change, told
):
    config = ldm_config(**change).to_dict()
    write_model_file(tmp_path / 'a.safetensors', trained.state_dict(), config)
    assert told in error_of(tmp_path / 'a.safetensors')


def test_a_misspelt_key_of_a_config_file_is_named(files):
    text = (files / 'config.py').read_text()
    (files / 'config.py').write_text(f'{text}\noptim_wraper = dict()\n')
    told = error_of(files / 'config.py', files / 'alone.pth')
    assert "did you mean 'optim_wrapper'" in told


def test_the_environment_stays_as_it_is(files, monkeypatch):
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    before = dict(os.environ)
    init_model(files / 'config.py', files / 'alone.pth')
    assert dict(os.environ) == before


@pytest.fixture
def diffusers_folder(tmp_path):
    """A first stage as diffusers saves it."""
    diffusers = pytest.importorskip('diffusers')
    autoencoder = diffusers.AutoencoderKL(
        block_out_channels=(32, 32),
        down_block_types=('DownEncoderBlock2D',) * 2,
        up_block_types=('UpDecoderBlock2D',) * 2,
    )
    autoencoder.save_pretrained(tmp_path / 'vae')
    return tmp_path / 'vae'


def test_a_folder_of_diffusers_is_converted_in_memory(
    diffusers_folder, monkeypatch
):
    real = models.read_diffusers
    monkeypatch.setattr(
        models,
        'read_diffusers',
        lambda folder: real(folder)._replace(notes=['so and so']),
    )
    with pytest.warns(UserWarning, match='vae: so and so'):
        model = init_model(diffusers_folder)
    weights = real(diffusers_folder).weights
    torch.testing.assert_close(dict(model.state_dict()), weights)
    assert model.cfg.model.type == 'FirstStage'
    told = error_of(diffusers_folder, 'a.pth')
    assert 'a folder of diffusers, which has weights, but' in told


@pytest.mark.parametrize('trained', [16, [8, 16]])
def test_a_model_draws_as_large_as_it_was_trained(
    tmp_path, ldm_config, trained
):
    """Where its config does not say it."""
    model = MODELS.build(ldm_config())
    weights = tmp_path / 'iter_1.pth'
    write_checkpoint(dict(state_dict=model.state_dict()), weights)
    for said, drawn in ((None, trained), (8, 8)):
        config = Config(dict(model=ldm_config()))
        config.train_dataloader = dict(
            dataset=dict(
                type='GenerationRequests', num_samples=1, size=trained
            )
        )
        if said is not None:
            config.model.image_size = said
        path = tmp_path / 'config.py'
        path.write_text(config.pretty_text)
        assert init_model(path, weights).image_size == drawn
        meta = dict(cfg=store_config(config.to_dict()))
        content = dict(state_dict=model.state_dict(), meta=meta)
        write_checkpoint(content, tmp_path / 'alone.pth')
        assert init_model(tmp_path / 'alone.pth').image_size == drawn


def test_a_pipe_is_no_model(tmp_path):
    os.mkfifo(tmp_path / 'a.safetensors')
    assert 'a.safetensors is a named pipe' in error_of(
        tmp_path / 'a.safetensors'
    )


@pytest.mark.parametrize(
    'change, told',
    [
        (
            dict(denoiser=dict(channels=10**6)),
            'a.safetensors: model.denoiser: the parameters of the model need',
        ),
        (
            dict(autoencoder=dict(channel_mults=[2**i for i in range(40)])),
            'a.safetensors: model.autoencoder: the parameters of the model',
        ),
        (
            dict(denoiser=dict(channels=4096)),
            'a.safetensors does not fit this DenoisingUNet',
        ),
        (dict(denoiser=dict(channel_mults=[])), 'cannot be built'),
    ],
)
def test_a_network_beyond_the_machine_is_refused(
    tmp_path, ldm_config, trained, change, told
):
    config = ldm_config(**change).to_dict()
    write_model_file(tmp_path / 'a.safetensors', trained.state_dict(), config)
    assert told in error_of(tmp_path / 'a.safetensors')
