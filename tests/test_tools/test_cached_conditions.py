"""Trainings from a cache hold no network that they do not use."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.dataset import pseudo_collate

from mmldm.datasets import AddressedIndex, CachedLatents
from mmldm.engine.cached_training import CachedTraining
from mmldm.models.conditioners import TextEncoder
from mmldm.models.losses import DecodedLoss

ROOT = Path(__file__).parents[2]
LETTERS = 'abcdefghijklmnopqrstuvwxyz'
CONFIG = """
_base_ = '{root}/configs/ldm/ldm_kl-f4_text_1xb32-6k_shape-scenes-32x32.py'
model = dict(
    autoencoder=dict(
        type='Autoencoder{kind}', latent_channels=4,
        channels=32, channel_mults=(1, 1), num_res_blocks=1,
        mid_attention=False{more}),
    autoencoder_checkpoint='{first_stage}',
    denoiser=dict(channels=64, num_res_blocks=1, channel_mults=(1,),
                  attn_factors=()),
    conditioner=dict(drop_prob=0.5, embedders=[dict(
        type='TextEncoder', pretrained='{clip}', tokenizer='{tokenizer}',
        max_length=40)]),
    diffusion_scheduler=dict(num_steps=2))
train_dataloader = dict(
    global_batch_size=4, dataset=dict(num_samples=6))
val_dataloader = dict(dataset=dict(num_samples=2))
train_cfg = dict(max_iters=4, val_interval=2)
param_scheduler = None
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=2),
    latent_scale=dict(num_samples=4))
"""
QUANTIZER = ', quantizer=dict(num_codes=32)'


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """Folders of a small text encoder and of its tokenizer."""
    from transformers import CLIPTextConfig, CLIPTextModel

    tokenizer = tmp_path_factory.mktemp('tokenizer')
    ends = [f'{letter}</w>' for letter in LETTERS]
    words = [*LETTERS, *ends, '<|startoftext|>', '<|endoftext|>']
    (tokenizer / 'vocab.json').write_text(
        json.dumps({word: i for i, word in enumerate(words)})
    )
    (tokenizer / 'merges.txt').write_text('#version: 0.2\n')
    torch.manual_seed(3)
    folder = str(tmp_path_factory.mktemp('network'))
    sizes = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2)
    config = CLIPTextConfig(
        vocab_size=len(words),
        num_attention_heads=2,
        max_position_embeddings=40,
        bos_token_id=len(words) - 2,
        eos_token_id=len(words) - 1,
        **sizes,
    )
    CLIPTextModel(config).save_pretrained(folder)
    return folder, str(tokenizer)


@pytest.fixture(params=['KL', 'VQ'])
def cached(request, tmp_path, clip, run_tool, work_dir):
    """Runner, config file and folder of a cache of six drawn scenes."""
    from mmldm.registry import MODELS
    from mmldm.utils.checkpoint import write_checkpoint

    kind, file = request.param, tmp_path / 'tiny.py'
    stage = tmp_path / 'stage.pth'
    values = dict(root=ROOT, first_stage=stage, clip=clip[0])
    values |= dict(kind=kind, more=QUANTIZER if kind == 'VQ' else '')
    file.write_text(CONFIG.format(tokenizer=clip[1], **values))
    sizes = dict(latent_channels=4, channels=32, channel_mults=(1, 1))
    if kind == 'VQ':
        sizes['quantizer'] = dict(num_codes=32)
    stage_model = MODELS.build(
        dict(
            type=f'Autoencoder{kind}',
            num_res_blocks=1,
            mid_attention=False,
            **sizes,
        )
    )
    write_checkpoint(stage_model.state_dict(), stage)
    cache = tmp_path / 'cache'
    runner = run_tool('cache_latents', file, cache, '--work-dir', work_dir)
    return runner, str(file), cache


def batches(runner, cache):
    """The same batch from images and from a cache."""
    model, images = runner.bare_model, runner.train_dataloader.dataset
    config = runner.cfg.train_dataloader.dataset.to_dict()
    indices = [
        AddressedIndex(i, seed=1, epoch=0, position=i) for i in range(6)
    ]
    for data in (images, CachedLatents(str(cache), config)):
        yield model.data_preprocessor(
            pseudo_collate([data[i] for i in indices])
        )


def loss(model, batch):
    return model.loss(batch['inputs'], batch['data_samples'])['loss_denoise']


def test_losses_are_those_of_images_and_captions(cached):
    """Some captions are dropped; no network but the denoiser is there."""
    runner, _, cache = cached
    model = runner.bare_model
    images, latents = batches(runner, cache)
    expected = loss(model, images).item()
    training = CachedTraining(CachedLatents(str(cache)), model)
    training.release()
    frozen = [*model.autoencoder.parameters()]
    frozen += [*model.conditioner.embedders[0].network.parameters()]
    assert sum(w.nbytes for w in frozen) == 0
    assert loss(model, latents).item() == pytest.approx(expected, rel=1e-5)
    assert sum(w.nbytes for w in frozen) == 0
    # Images bring the networks back, and they are the same.
    assert loss(model, images).item() == pytest.approx(expected, rel=1e-6)
    assert all(w.nbytes for w in frozen)


def test_the_first_stage_stays_for_a_loss_that_decodes(cached):
    runner, _, cache = cached
    model = runner.bare_model
    model.extra_losses.append(DecodedLoss())
    try:
        training = CachedTraining(CachedLatents(str(cache)), model)
        training.release()
        assert all(w.nbytes for w in model.autoencoder.parameters())
        network = model.conditioner.embedders[0].network
        assert sum(w.nbytes for w in network.parameters()) == 0
        training.restore()
    finally:
        del model.extra_losses[-1]


def test_a_training_validates_and_keeps_the_hashes(
    cached, run_tool, work_dir, monkeypatch
):
    _, file, cache = cached
    called = []
    real = TextEncoder.forward
    monkeypatch.setattr(
        TextEncoder,
        'forward',
        lambda self, samples, *rest: (
            called.append(len(samples)) or real(self, samples, *rest)
        ),
    )
    runner = run_tool(
        'train',
        file,
        '--work-dir',
        work_dir,
        '--cfg-options',
        f'latent_cache={cache}',
    )
    model = runner.bare_model
    assert called and set(called) == {2}  # validation alone
    assert all(w.nbytes for w in model.parameters())  # back at the end
    state = model.state_dict()
    assert 'autoencoder_hash' in state
    assert not any('network.' in name for name in state)


def test_another_text_encoder_is_refused(cached):
    runner, _, cache = cached
    model, dataset = runner.bare_model, CachedLatents(str(cache))
    model.conditioner.embedders[0].layer = 'penultimate'
    with pytest.raises(ValueError, match="layer is 'last', but that of model"):
        CachedTraining(dataset, model)
