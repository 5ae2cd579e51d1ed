import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmldm.apis import (
    LatentDiffusionInferencer,
    init_model,
    load_adapters,
    save_adapter,
)
from mmldm.apis.adapters import split_scale
from mmldm.models.adapters import merged_state
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import read_checkpoint, write_checkpoint
from mmldm.utils.model_file import write_model_file
from mmldm.utils.stored_config import store_config, stored_config

pytest.importorskip('peft')


@pytest.fixture
def config(ldm_config):
    denoiser = dict(attn_factors=(1,))
    return ldm_config(denoiser=denoiser).to_dict()


@pytest.fixture
def base(config, awaken, tmp_path):
    """The file of a model."""
    torch.manual_seed(3)
    model = awaken(MODELS.build(config))
    path = tmp_path / 'base.safetensors'
    write_model_file(path, model.state_dict(), config)
    return path


@pytest.fixture
def training(config, base, tmp_path):
    """Writes the checkpoint of an adapter as a training does."""

    def training(name, seed, **options):
        adapter = dict(type='LoRA', base=str(base), rank=2) | options
        adapted = {**config, 'adapter': adapter}
        model = MODELS.build(adapted)
        torch.manual_seed(seed)
        for weight in model.adapter_weights().values():
            torch.nn.init.normal_(weight, std=0.3)
        path = tmp_path / name / 'iter_2.pth'
        path.parent.mkdir()
        meta = dict(cfg=store_config(dict(model=adapted)))
        write_checkpoint(dict(state_dict=model.state_dict(), meta=meta), path)
        return path

    return training


@pytest.fixture
def change(labelled):
    """What two models estimate differently for the same noise."""

    def change(model, other):
        outputs = []
        for each in (model, other):
            cond, _ = each.conditions([labelled(3, address=(0, 0))])
            z = torch.linspace(-1, 1, 4 * 16).view(1, 4, 4, 4)
            level = each.diffusion_scheduler.levels()[0]
            with torch.no_grad():
                outputs.append(each.output(each.denoiser, z, level, cond))
        return outputs[1] - outputs[0]

    return change


def weights(path, *adapters):
    model = init_model(path, device='cpu')
    load_adapters(model, adapters)
    return merged_state(model)


def test_adapters_add_up_by_their_scales(base, training):
    one = training('one', 1, alpha=3.0)
    two = training('two', 2, target=['to_v', 'conv1'])
    plain, first, second, both = (
        weights(base, *adapters)
        for adapters in ([], [one], [two], [f'{one}:0.5', (two, -2.0)])
    )
    assert plain.keys() == both.keys()
    changed = set()
    for name, before in plain.items():
        expected = (first[name] - before) / 2 - 2 * (second[name] - before)
        torch.testing.assert_close(both[name] - before, expected)
        changed |= {name} if expected.any() else set()
    ends = ('to_q', 'to_k', 'to_v', 'to_out', 'conv1')
    assert {n.split('.')[-2] for n in changed} == {*ends}


def test_the_merged_weights_compute_what_the_adapters_do(
    base, training, change, config
):
    model = init_model(base, device='cpu')
    load_adapters(model, [training('one', 1), training('two', 2)])
    merged = MODELS.build(config).eval()
    assert change(model, merged).abs().max() > 0.01
    merged.load_state_dict(merged_state(model))
    assert change(model, merged).abs().max() < 1e-5


def test_an_empty_list_restores_the_model(base, training, change):
    model, plain = (init_model(base, device='cpu') for _ in range(2))
    names = [*model.state_dict()]
    load_adapters(model, [training('one', 1)])
    assert change(model, plain).any()
    load_adapters(model, [])
    assert not change(model, plain).any()
    assert [*model.state_dict()] == names


def test_new_adapters_replace_those_before(base, training, change):
    one, two = training('one', 1), training('two', 2)
    model, other = (init_model(base, device='cpu') for _ in range(2))
    load_adapters(model, [one])
    load_adapters(model, [two.parent])  # the work directory
    load_adapters(other, [two])
    assert not change(model, other).any()


def test_a_trained_adapter_stays_and_others_are_added(training, base):
    one, two = training('one', 1), training('two', 2)
    found, expected = weights(one, two), weights(base, one, two)
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight)


def test_a_file_of_several_is_their_sum(base, training, tmp_path):
    adapters = [training('one', 1, alpha=3.0), (training('two', 2), 0.5)]
    model = init_model(base, device='cpu')
    load_adapters(model, adapters)
    save_adapter(model, tmp_path / 'sum.safetensors')
    found = weights(base, tmp_path / 'sum.safetensors')
    with pytest.raises(ValueError, match='is an adapter: give the model'):
        init_model(tmp_path / 'sum.safetensors')
    for name, weight in weights(base, *adapters).items():
        torch.testing.assert_close(found[name], weight)


def test_an_adapter_of_other_weights_is_warned_of(
    base, training, config, tmp_path
):
    one = training('one', 1)
    model = MODELS.build(config)
    other = tmp_path / 'other.safetensors'
    write_model_file(other, model.state_dict(), config)
    with pytest.warns(UserWarning, match='trained on a denoiser of other'):
        load_adapters(init_model(other, device='cpu'), [one])


def test_an_adapter_that_does_not_fit_is_refused(
    base, training, ldm_config, tmp_path
):
    one = training('one', 1)
    wide = ldm_config(denoiser=dict(attn_factors=(1,), channels=96)).to_dict()
    model = MODELS.build(wide)
    model.cfg = Config(dict(model=wide))
    with pytest.raises(
        ValueError, match=r'iter_2.pth: 32 of its .*use the model that'
    ):
        load_adapters(model, [one])
    assert not any('lora' in name for name in model.state_dict())
    with pytest.raises(ValueError, match='base.safetensors: it holds no'):
        load_adapters(model, [base])
    with pytest.raises(FileNotFoundError, match='none.safetensors'):
        load_adapters(model, [tmp_path / 'none.safetensors'])
    with pytest.raises(ValueError, match='the model has no adapter'):
        save_adapter(model, tmp_path / 'x.safetensors')


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda w: w * torch.nan, 'its update of denoiser.* is not finite'),
        (lambda w: w[0], 'its update'),
        (lambda w: w[:, :1], 'its update'),
        (lambda w: w[..., None], 'its update'),
        (lambda w: w[:, :0], 'its update'),
        (lambda w: 3, 'not a dict of tensors by name'),
        (None, '1 of its weights are missing or unknown: .*: write it again'),
    ],
)
def test_a_broken_file_is_refused(base, training, tmp_path, change, message):
    model = init_model(base, device='cpu')
    content = read_checkpoint(training('one', 1))
    weights = content['state_dict']
    name = next(n for n in weights if 'lora_B' in n)
    weight = weights.pop(name)
    if change is not None:
        weights[name] = change(weight)
    write_checkpoint(content, tmp_path / 'broken.pth')
    with pytest.raises(ValueError, match=f'broken.pth: .*{message}'):
        load_adapters(model, [tmp_path / 'broken.pth'])


def test_the_type_in_a_file_is_not_built(base, training, tmp_path):
    content = read_checkpoint(training('one', 1))
    config = stored_config(content)
    file = tmp_path / 'touched'
    config['model']['adapter'] = dict(
        type='pathlib.Path.touch', self=str(file), alpha=4.0, rank=2
    )
    content['meta']['cfg'] = store_config(config)
    write_checkpoint(content, tmp_path / 'odd.pth')
    load_adapters(init_model(base, device='cpu'), [tmp_path / 'odd.pth'])
    assert not file.exists()


def test_scales_are_split_from_paths(tmp_path):
    assert split_scale('a/b.pth:0.5')[1] == 0.5
    assert split_scale('a/b.pth')[1] == 1.0
    odd = tmp_path / 'a:2'
    odd.touch()
    assert split_scale(odd) == (odd, 1.0)
    for text in ('b.pth:half', 'b.pth:nan', 'b.pth:'):
        with pytest.raises(ValueError, match='give FILE:SCALE, such as'):
            split_scale(text)


def test_the_inferencer_draws_with_adapters(base, training, labelled):
    one = training('one', 1)
    plain, adapted = (
        LatentDiffusionInferencer(base, device='cpu', adapters=adapters)
        for adapters in ([], [f'{one}:2'])
    )
    first, second = (
        np.asarray(draw(label=3, size=8)[0], int) for draw in (plain, adapted)
    )
    assert abs(first - second).max() > 10
    with pytest.raises(ValueError, match=r'call load_adapters\(model'):
        LatentDiffusionInferencer(plain.model, adapters=[one])
