"""Checkpoints that people could not convert with other tools."""

import pytest
import torch

from mmldm.converters import (
    convert_compvis,
    read_compvis_checkpoint,
    with_first_stage,
)

NAME = 'uncond_vq_f4'
FIRST_STAGE = 'first_stage_model.'


@pytest.fixture
def checkpoint(reference):
    return reference.checkpoint(NAME)


@pytest.fixture
def convert(reference):
    config = reference.config(NAME)
    return lambda weights: convert_compvis(config, weights).weights


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[name], theirs[name]) for name in ours
    )


@pytest.fixture
def read(tmp_path):
    """What is read of a file that holds this."""

    def read(content):
        torch.save(content, tmp_path / 'x.ckpt')
        return read_compvis_checkpoint(tmp_path / 'x.ckpt')

    return read


def test_weights_alone_are_a_checkpoint(checkpoint, convert, read):
    assert same(convert(read(checkpoint)), convert(checkpoint))


@pytest.mark.parametrize(
    'rename',
    [
        lambda name: f'module.{name}',
        lambda name: f'_orig_mod.{name}',
        lambda name: f'module._orig_mod.{name}',
        lambda name: name.replace('model.diff', 'model._orig_mod.diff'),
        lambda name: name.replace(
            'input_blocks.1.', 'input_blocks.1._checkpoint_wrapped_module.'
        ),
    ],
)
def test_what_wrappers_add_to_names_is_taken_out(
    checkpoint, convert, read, rename
):
    wrapped = {rename(name): weight for name, weight in checkpoint.items()}
    assert same(convert(read(dict(state_dict=wrapped))), convert(checkpoint))


def test_an_average_under_other_names_is_refused(checkpoint, convert):
    renamed = {
        name.replace('model_ema.diffusion_model', 'model_ema.'): weight
        for name, weight in checkpoint.items()
    }
    assert renamed.keys() != checkpoint.keys()
    with pytest.raises(ValueError, match=r'model_ema\..*--weights raw'):
        convert(renamed)


@pytest.fixture
def parts(checkpoint):
    """(the checkpoint without first stage, that first stage)."""
    first_stage = {
        name.removeprefix(FIRST_STAGE): weight
        for name, weight in checkpoint.items()
        if name.startswith(FIRST_STAGE)
    }
    rest = {
        name: weight
        for name, weight in checkpoint.items()
        if not name.startswith(FIRST_STAGE)
    }
    return rest, first_stage


def test_a_checkpoint_without_first_stage_names_the_remedy(parts, convert):
    with pytest.raises(ValueError, match='no first stage.*--first-stage FILE'):
        convert(parts[0])


def test_a_checkpoint_without_denoiser_says_so(checkpoint, convert):
    rest = {n: w for n, w in checkpoint.items() if not n.startswith('model')}
    with pytest.raises(ValueError, match='no denoiser .model.diffusion_mod'):
        convert(rest)


def test_a_first_stage_is_added(checkpoint, convert, parts):
    assert same(convert(with_first_stage(*parts)), convert(checkpoint))
    # As well from the checkpoint of another diffusion model.
    whole = with_first_stage(parts[0], checkpoint)
    assert same(convert(whole), convert(checkpoint))


def test_a_first_stage_is_exchanged(checkpoint, convert, parts):
    other = {name: 2 * weight for name, weight in parts[1].items()}
    ours = convert(with_first_stage(checkpoint, other))
    before = convert(checkpoint)
    changed = {n for n in ours if not torch.equal(ours[n], before[n])}
    assert changed and all(n.startswith('autoencoder.') for n in changed)
    name = 'autoencoder.quantizer.codebook'
    assert torch.equal(ours[name], 2 * before[name])
