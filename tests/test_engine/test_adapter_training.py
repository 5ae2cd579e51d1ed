"""A training of which only an adapter is stored."""

import os

import pytest
import torch
from mmengine.config import Config

from mmldm.apis import init_model, publish_model
from mmldm.apis.adapter_base import take_adapter_base
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import read_checkpoint, write_checkpoint

pytest.importorskip('peft')


@pytest.fixture
def adapter(training_config, awaken, tmp_path):
    """Options of a runner that trains an adapter."""
    model = MODELS.build(training_config.model)
    awaken(model)
    path = tmp_path / 'base.pth'
    write_checkpoint(dict(state_dict=model.state_dict()), path)
    target = ['to_v', 'to_out', 'conv_in', 'embed']
    options = dict(type='LoRA', base=str(path), rank=3, target=target)
    return dict(
        model__denoiser__attn_factors=(1,),
        model__adapter=options,
    )


def checkpoint(runner, iteration):
    return os.path.join(runner.work_dir, f'iter_{iteration}.pth')


@pytest.fixture
def training_config(training_config):
    training_config.model.denoiser.attn_factors = (1,)
    return training_config


def test_a_resumed_adapter_equals_the_uninterrupted_one(
    build_runner, adapter, tmp_path
):
    whole = build_runner(**adapter, work_dir=str(tmp_path / 'whole'))
    scale = whole.bare_model.autoencoder.latent_scale.clone()
    whole.train()
    assert torch.equal(whole.bare_model.autoencoder.latent_scale, scale)
    resumed = build_runner(
        **adapter, load_from=checkpoint(whole, 2), resume=True
    )
    resumed.train()
    expected = {i: x for i, x in whole.record.losses.items() if i >= 2}
    assert resumed.record.losses == expected
    one, other = (read_checkpoint(checkpoint(r, 6)) for r in (whole, resumed))
    for key in ('state_dict', 'raw_state_dict'):
        assert one[key].keys() == other[key].keys()
        assert all(torch.equal(w, other[key][n]) for n, w in one[key].items())
    names = {n for n in one['state_dict'] if 'lora_' not in n}
    assert names == {'adapter_base'}
    ups = [w for n, w in one['raw_state_dict'].items() if 'lora_B' in n]
    assert all(w.any() for w in ups)


def test_the_checkpoint_is_a_model_and_its_publication_is_merged(
    build_runner, adapter, labelled, tmp_path
):
    runner = build_runner(**adapter, optim_wrapper__optimizer__lr=0.1)
    runner.train()
    sample = labelled(3, address=(0, 0))
    model = init_model(runner.work_dir, device='cpu')
    image = model.predict(None, [sample])[0].pred_img
    path = publish_model(runner.work_dir, tmp_path / 'merged')
    merged = init_model(path, device='cpu')
    assert merged.adapter is None
    found = merged.predict(None, [sample])[0].pred_img
    assert (found.int() - image.int()).abs().max() <= 2
    path = publish_model(
        runner.work_dir, tmp_path / 'twice', adapters=[runner.work_dir]
    )
    other = init_model(path, device='cpu').predict(None, [sample])[0].pred_img
    assert (other.int() - image.int()).abs().max() > 2


@pytest.mark.parametrize('resume', [False, True])
def test_without_a_base_the_model_of_load_from_is_adapted(tmp_path, resume):
    model = dict(type='LatentDiffusion', adapter=dict(type='LoRA'))
    cfg = Config(dict(model=model, load_from=str(tmp_path), resume=resume))
    (tmp_path / 'model.safetensors').touch()
    take_adapter_base(cfg)
    if resume:
        assert cfg.load_from == str(tmp_path)
        assert 'base' not in cfg.model.adapter
    else:
        assert cfg.load_from is None
        assert cfg.model.adapter.base == str(tmp_path / 'model.safetensors')
