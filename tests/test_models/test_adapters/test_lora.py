import builtins

import pytest
import torch

from mmldm.models.adapters import (
    active_updates,
    adapted_layers,
    add_adapter,
    merged_state,
    remove_adapters,
)
from mmldm.registry import MODELS

pytest.importorskip('peft')


def loss(model, labelled):
    samples = [labelled(i, address=(0, i)) for i in (3, 7)]
    inputs = torch.linspace(-1, 1, 2 * 3 * 64).view(2, 3, 8, 8)
    return model.loss(inputs, samples)['loss_denoise']


def test_an_untrained_adapter_changes_nothing(base, labelled):
    config, path = base
    plain = MODELS.build(config).eval()
    plain.load_state_dict(torch.load(path)['state_dict'])
    adapter = dict(type='LoRA', base=path, rank=2)
    model = MODELS.build({**config, 'adapter': adapter}).eval()
    torch.testing.assert_close(loss(model, labelled), loss(plain, labelled))


def test_only_the_adapter_is_trained_and_stored(adapted, labelled):
    model = adapted()
    trained = {n for n, w in model.named_parameters() if w.requires_grad}
    assert trained == {*model.adapter_weights()}
    assert {*model.state_dict()} == trained | {'adapter_base'}
    loss(model, labelled).backward()
    given = {n for n, w in model.named_parameters() if w.grad is not None}
    assert given == trained


def test_the_merged_weights_compute_the_same(adapted, base, labelled):
    model = adapted(alpha=3.0)
    plain = MODELS.build(base[0]).eval()
    before = loss(plain, labelled)
    plain.load_state_dict(
        {n: w for n, w in merged_state(model).items() if n != 'adapter_base'}
    )
    expected = loss(model, labelled)
    torch.testing.assert_close(loss(plain, labelled), expected)
    assert (expected - before).abs() > 1e-3


def test_alpha_scales_the_update(adapted, labelled):
    one, other = adapted(alpha=2.0), adapted(alpha=6.0)
    other.load_state_dict(one.state_dict())
    (name, *_), _ = zip(*active_updates(one).items(), strict=True)
    found = [active_updates(model)[name] for model in (one, other)]
    torch.testing.assert_close(found[1].up, 3 * found[0].up)
    torch.testing.assert_close(found[1].down, found[0].down)


def test_several_adapters_add_up_and_go_without_a_trace():
    network = torch.nn.Sequential(
        torch.nn.Linear(4, 5), torch.nn.Conv1d(5, 3, 3, padding=1)
    )
    x, names = torch.randn(5, 4), [*network.state_dict()]
    before = network(x.repeat(2, 1, 1).transpose(1, 1))
    for name, ranks in (('a', {'0': 2, '1': 1}), ('b', {'1': 3})):
        add_adapter(network, name, ranks)
    for layer in adapted_layers(network).values():
        layer.set_adapter([*layer.scaling])
        for part in layer.lora_B.values():
            torch.nn.init.normal_(part.weight)
    updates = active_updates(network)
    assert {n: len(u.down) for n, u in updates.items()} == {'0': 2, '1': 4}
    after = network(x.repeat(2, 1, 1))
    state = merged_state(network)
    remove_adapters(network)
    assert [*network.state_dict()] == names
    torch.testing.assert_close(network(x.repeat(2, 1, 1)), before)
    network.load_state_dict(state)
    torch.testing.assert_close(network(x.repeat(2, 1, 1)), after)


@pytest.mark.parametrize('base', ['unet'], indirect=True)
@pytest.mark.parametrize(
    'options, message',
    [
        (dict(target=['to_w']), "adapter.target: no .* named 'to_w'.* 'to_q'"),
        (dict(text_target=['q_proj']), "text_target: no .* named 'q_proj'"),
        (dict(target='to_q'), "adapter.target='to_q' must be a list"),
        (dict(rank=0), 'adapter.rank=0 must be a whole number'),
        (dict(alpha=0), 'adapter.alpha=0 must be positive'),
        (dict(dtype='float8'), "adapter.dtype='float8' is not known"),
        (dict(base=None), 'adapter.base is missing.*set it to its file'),
        (dict(base='none.pth'), "adapter.base='none.pth' does not exist"),
    ],
)
def test_invalid_options_are_refused(adapted, options, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        adapted(**options)


@pytest.mark.parametrize('base', ['unet'], indirect=True)
def test_an_adapter_of_another_model_is_not_loaded(adapted, base, tmp_path):
    model = adapted()
    state = model.state_dict()
    content = torch.load(base[1])
    content['state_dict']['denoiser.conv_in.bias'] += 1
    torch.save(content, tmp_path / 'other.pth')
    other = adapted(base=str(tmp_path / 'other.pth'))
    with pytest.raises(ValueError, match=r'set model\.adapter\.base to'):
        other.load_state_dict(state)


@pytest.mark.parametrize('base', ['unet'], indirect=True)
def test_an_adapter_is_no_base(adapted, tmp_path):
    torch.save(adapted().state_dict(), tmp_path / 'adapter.pth')
    with pytest.raises(ValueError, match='holds an adapter: give the model'):
        adapted(base=str(tmp_path / 'adapter.pth'))


@pytest.mark.parametrize('base', ['unet'], indirect=True)
def test_without_peft_the_remedy_is_named(adapted, monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == 'peft':
            raise ImportError('No module named peft')
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', missing)
    with pytest.raises(ValueError, match=r"pip install 'mmldm\[lora\]'"):
        adapted()


@pytest.mark.parametrize('base', ['unet', 'transformer'], indirect=True)
def test_frozen_weights_in_bfloat16_leave_the_adapter_in_float32(
    adapted, labelled
):
    model = adapted(dtype='bfloat16')
    types = {w.dtype for w in model.adapter_weights().values()}
    assert types == {torch.float32}
    frozen = {
        w.dtype for w in model.denoiser.parameters() if not w.requires_grad
    }
    assert frozen == {torch.bfloat16}
    whole = adapted()
    whole.load_state_dict(
        {**model.state_dict(), 'adapter_base': whole.adapter_base}
    )
    found, expected = loss(model, labelled), loss(whole, labelled)
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0)
    found.backward()
