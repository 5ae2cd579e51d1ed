"""tools/model_converters/compvis_to_mmldm.py, as a user runs it."""

import os
import sys
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config

from mmldm.apis import init_model, load_config, tool_parser
from mmldm.diffusion import Sampling
from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils.checkpoint import load_weights
from mmldm.utils.model_file import read_model_file

from ..test_converters.test_compvis.stable import (
    stable_diffusion_1,
    stable_diffusion_2,
)

# The smallest models have 32 channels, as many as norm groups.
pytestmark = pytest.mark.filterwarnings('ignore:.*cancels the time embedding')


@pytest.fixture
def convert(load_converter, tmp_path, monkeypatch):
    """Runs the tool, in tmp_path, on a model and its weights."""
    monkeypatch.chdir(tmp_path)
    tool = load_converter('compvis_to_mmldm')

    def convert(content, weights, *flags):
        Path('model.yaml').write_text(yaml.safe_dump(content))
        torch.save(weights, 'model.ckpt')
        arguments = ['model.yaml', 'model.ckpt', 'out/dir', *flags]
        monkeypatch.setattr(sys, 'argv', ['compvis_to_mmldm.py', *arguments])
        tool.main()
        return tmp_path / 'out/dir'

    return convert


@pytest.fixture
def diffusion(reference):
    """A latent diffusion model and its checkpoint."""
    name = 'uncond_vq_f4'
    return reference.config(name), reference.checkpoint(name)


@pytest.fixture
def first_stage(reference):
    name = 'uncond_kl_f8'
    config = reference.original(name)['first_stage_config']
    return config, reference.weights(name, 'first_stage_model.')


def build(out_dir):
    """The model of a folder, by its config, with its weights; the config."""
    flags = tool_parser(None).parse_args([str(out_dir / 'config.py')])
    cfg = load_config(flags)
    model = MODELS.build(cfg.model).eval()
    weights, config = read_model_file(out_dir / 'model.safetensors')
    load_weights(model, weights, out_dir)
    assert str(MODELS.build(config)) == str(model)
    return model, cfg


def test_a_diffusion_model_draws_what_the_original_does(
    convert, diffusion, reference, assert_near, capsys
):
    config, state = diffusion
    out_dir = convert(
        dict(model=config), dict(state_dict=state, global_step=3)
    )
    model, cfg = build(out_dir)
    expected = reference.values('uncond_vq_f4')
    z_T = reference.gaussian('uncond_vq_f4/xT', expected['z0'].shape)
    model.diffusion_scheduler.num_steps = 10
    assert_near(model.sample([LDMDataSample()] * 2, z_T), expected['ddim10'])
    # What is drawn without more being said.
    assert cfg.test_dataloader.dataset.size == model.image_size == 64
    assert {'train_dataloader', 'optim_wrapper', 'runner_type'} <= cfg.keys()
    printed = capsys.readouterr().out
    assert 'in training; their running average is taken' in printed
    named = (out_dir / 'left_out.txt').read_text().splitlines()
    assert 'model_ema.decay' in named and 'alphas_cumprod' in named


def test_raw_weights_are_taken_where_they_are_asked_for(convert, diffusion):
    config, state = diffusion
    content = dict(model=config)
    name = 'denoiser.conv_in.weight'
    averaged, raw = (
        read_model_file(convert(content, state, *flags) / MODEL)[0][name]
        for flags in ((), ('--weights', 'raw'))
    )
    assert torch.equal(averaged, -raw)  # as the fixture has it


def test_the_config_inherits_and_states_its_differences(convert, diffusion):
    out_dir = convert(dict(model=diffusion[0]), diffusion[1])
    text = (out_dir / 'config.py').read_text()
    assert text.startswith('# Converted from model.yaml and model.ckpt.')
    assert 'mmldm::_base_/models/ldm_kl-f4.py' in text
    own = Config.fromfile(out_dir / 'config.py', lazy_import=False)
    # Said by the base.
    assert "type='LatentDiffusion'" not in text
    assert own.model.type == 'LatentDiffusion'


def test_numbers_are_read_as_the_original_reads_them(load_converter, tmp_path):
    path = tmp_path / 'model.yaml'
    path.write_text('model: {a: 1e-4, b: -2E+3, c: 1.5e-3, d: e4, e: 7}')
    model = load_converter('compvis_to_mmldm').read_model(str(path))
    assert model == dict(a=1e-4, b=-2000.0, c=1.5e-3, d='e4', e=7)


def test_what_is_no_yaml_is_refused(load_converter, tmp_path):
    read_model = load_converter('compvis_to_mmldm').read_model
    path = tmp_path / 'model.yaml'
    doubled = [
        'a0: &a0 []',
        *(f'a{i + 1}: &a{i + 1} [*a{i}, *a{i}]' for i in range(60)),
    ]
    for content in (
        b'a: [1',
        b'\xff\xfe\x00',
        b'[' * 5000,
        b'a: &a [*a]',
        '\n'.join(doubled).encode(),
        b'a: !!python/object/apply:os.system [exit]',
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match='model.yaml is not a yaml file'):
            read_model(str(path))


@pytest.mark.parametrize('weights', [None, 'ema', 'raw'])
def test_a_first_stage_computes_what_the_original_does(
    convert, first_stage, reference, assert_near, weights
):
    config, state = first_stage
    average = {'model_ema.' + n.replace('.', ''): w for n, w in state.items()}
    in_training = {name: -weight for name, weight in state.items()}
    if weights == 'raw':
        in_training = state
        average = {name: -weight for name, weight in average.items()}
    extra = {'loss.logvar': torch.zeros(()), 'model_ema.decay': torch.ones(())}
    flags = [] if weights is None else ['--weights', weights]
    out_dir = convert(
        dict(model=config, base_learning_rate=4.5e-6),
        dict(state_dict={**in_training, **average, **extra}),
        *flags,
    )
    model, cfg = build(out_dir)
    expected = reference.values('uncond_kl_f8')
    with torch.no_grad():
        decoded = model.autoencoder.decode(expected['z0'])
    assert_near(decoded, expected['decoded'])
    assert model.regularization_weight == 1e-6
    assert cfg.test_evaluator and 'test_cfg' in cfg
    left_out = (out_dir / 'left_out.txt').read_text()
    assert 'loss.logvar' in left_out


def test_a_codebook_is_regularised_with_weight_1(convert, reference):
    name = 'inpainting_vq_f4'
    config = reference.original(name)['first_stage_config']
    weights = reference.weights(name, 'first_stage_model.')
    model, _ = build(convert(dict(model=config), weights))
    assert model.regularization_weight == 1


def test_earlier_files_are_replaced_whole_or_not_at_all(
    convert, first_stage, monkeypatch
):
    config, state = first_stage
    shifted = {name: weight + 1 for name, weight in state.items()}
    convert(dict(model=config), state)
    out_dir = convert(dict(model=config), shifted)
    before = (out_dir / MODEL).read_bytes()
    name = 'autoencoder.post_quant_conv.bias'
    weights, _ = read_model_file(out_dir / MODEL)
    assert torch.equal(weights[name], state['post_quant_conv.bias'] + 1)

    def fail(source, target):
        raise OSError('No space left on device')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError, match='No space'):
        convert(dict(model=config), state)
    assert (out_dir / MODEL).read_bytes() == before
    assert sorted(os.listdir(out_dir)) == [
        *('config.py', 'left_out.txt', 'model.json', MODEL)
    ]


MODEL = 'model.safetensors'
DDPM = 'ldm.models.diffusion.ddpm.DDPM'


@pytest.mark.parametrize(
    'content, message',
    [
        (dict(model=dict(target=DDPM)), 'model.yaml: target=.*DDPM. cannot'),
        (dict(data=1), '^model.yaml has no model: give a config'),
        (['model'], 'model.yaml has no model'),
        (None, 'model.yaml has no model'),
        (
            dict(model=dict(params=dict(a=[dict(b='${data.size}')]))),
            r"model.yaml: model.params.a.0.b is '\${data.size}', a reference",
        ),
    ],
)
def test_a_file_of_no_such_model_is_refused(convert, content, message):
    with pytest.raises(ValueError, match=message):
        convert(content, dict(state_dict={}))
    assert not Path('out').exists()


@pytest.mark.parametrize(
    'change, message',
    [
        (
            {'model_ema.diffusion_modelout2weight': torch.zeros(3)},
            r'model.ckpt: model_ema.diffusion_modelout2weight has shape '
            r'\(3,\), but model.diffusion_model.out.2.weight, .*\(3, 32',
        ),
        (
            {'first_stage_model.quant_conv.bias': torch.zeros(7)},
            r'model.ckpt: first_stage_model.\*: .* quant_conv.bias has shape '
            r'\(7,\) \(quant_conv.bias \(3,\) -> quant_conv.bias',
        ),
        (
            {'more.weight': torch.zeros(7)},
            'model.ckpt: more.weight has no place: .*cond_stage_model.',
        ),
        (
            {'alphas_cumprod': torch.ones(1000)},
            'alphas_cumprod of the checkpoint has 1000 values down to 1, '
            'that of the config 1000 down to 0.000142: .*linear_start',
        ),
        (
            {'alphas_cumprod': torch.ones(10)},
            'alphas_cumprod of the checkpoint has 10 values',
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    convert, diffusion, change, message
):
    config, state = diffusion
    with pytest.raises(ValueError, match=message):
        convert(dict(model=config), state | change)
    assert not Path('out').exists()


def test_a_first_stage_in_a_file_of_its_own_is_added(
    convert, diffusion, tmp_path
):
    config, state = diffusion
    start = 'first_stage_model.'
    first_stage, rest = {}, {}
    for name, weight in state.items():
        part = first_stage if name.startswith(start) else rest
        part[name.removeprefix(start)] = weight
    torch.save(dict(state_dict=first_stage), tmp_path / 'vae.ckpt')
    whole = convert(dict(model=config), state)
    expected, _ = read_model_file(whole / 'model.safetensors')
    added = convert(dict(model=config), rest, '--first-stage', 'vae.ckpt')
    found, _ = read_model_file(added / 'model.safetensors')
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[n], expected[n]) for n in found)


def test_a_first_stage_alone_needs_no_yaml(
    first_stage, load_converter, tmp_path, monkeypatch
):
    config, weights = first_stage
    monkeypatch.chdir(tmp_path)
    torch.save(weights, 'vae.ckpt')
    Path('model.yaml').write_text(yaml.safe_dump(dict(model=config)))
    for files in (['vae.ckpt', 'alone'], ['model.yaml', 'vae.ckpt', 'both']):
        monkeypatch.setattr(sys, 'argv', ['compvis_to_mmldm.py', *files])
        load_converter('compvis_to_mmldm').main()
    (alone, built), (both, wanted) = (
        read_model_file(tmp_path / name / 'model.safetensors')
        for name in ('alone', 'both')
    )
    assert built == wanted
    assert all(torch.equal(alone[name], both[name]) for name in both)


@pytest.fixture
def alone(load_converter, tmp_path, monkeypatch):
    """Runs the tool in tmp_path on weights without a yaml file."""
    monkeypatch.chdir(tmp_path)

    def alone(weights, *flags):
        torch.save(weights, 'model.ckpt')
        arguments = ['compvis_to_mmldm.py', 'model.ckpt', 'out', *flags]
        monkeypatch.setattr(sys, 'argv', arguments)
        load_converter('compvis_to_mmldm').main()
        return init_model('out', device='cpu')

    return alone


def test_stable_diffusion_needs_no_yaml(alone, capsys):
    """Its folder is a model that any tool loads."""
    model = alone(stable_diffusion_2(), '--prediction', 'v')
    kind = type(model.diffusion_scheduler.prediction).__name__
    assert kind == 'VelocityPrediction'
    assert 'after the layer that is read' in capsys.readouterr().out


def test_a_first_stage_of_a_larger_model_is_taken_alone(alone):
    weights = stable_diffusion_1()
    model = alone(weights, '--only-first-stage')
    name = 'first_stage_model.quant_conv.weight'
    assert torch.equal(model.autoencoder.quant_conv.weight, weights[name])


def test_weights_are_ignored_by_name(alone, capsys):
    weights = stable_diffusion_1() | {'more.x': torch.ones(1)}
    with pytest.raises(ValueError, match='more.x has no place: .*--ignore'):
        alone(weights)
    alone(weights, '--ignore', 'more.')
    assert 'Ignored 1 tensors: more.x' in capsys.readouterr().out


def test_what_a_yaml_file_says_has_no_flag(alone, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        alone({}, 'x', '--prediction', 'v')
    assert 'leave the yaml file out' in capsys.readouterr().err


def test_weights_in_the_place_of_a_yaml_are_named(
    load_converter, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    torch.save({}, 'a.ckpt')
    arguments = ['compvis_to_mmldm.py', 'a.ckpt', 'a.ckpt', 'out']
    monkeypatch.setattr(sys, 'argv', arguments)
    with pytest.raises(ValueError, match='a.ckpt is no yaml file but weights'):
        load_converter('compvis_to_mmldm').main()


def test_a_class_model_draws_without_a_class(convert, reference):
    """It follows the condition that the original guides away from."""
    name = 'class_vq_f4'
    content = dict(model=reference.config(name))
    model = init_model(convert(content, reference.checkpoint(name)))
    view = model.sampling_by(Sampling(unconditional=True))
    followed, _ = view.conditions([LDMDataSample()] * 2)
    expected = reference.values(name)['uncond_context']
    torch.testing.assert_close(followed.tokens.cpu(), expected)
