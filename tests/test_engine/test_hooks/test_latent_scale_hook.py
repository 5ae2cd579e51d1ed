"""Which scale a training of the tiny model begins with."""

import pytest
import torch

from mmldm.engine import LatentScaleHook
from mmldm.engine.latent_moments import latent_moments, set_scale
from mmldm.utils.checkpoint import read_checkpoint, write_checkpoint


@pytest.fixture
def begin(build_runner, caplog):
    """Runs the hook; returns the runner and what it logged."""

    def begin(options=(), **hook):
        runner = build_runner(log_level='INFO', **dict(options))
        runner.logger.addHandler(caplog.handler)
        LatentScaleHook(num_samples=8, **hook).before_train(runner)
        return runner, caplog.text

    return begin


@pytest.mark.parametrize('per_channel', [False, True])
def test_the_training_data_are_measured(begin, build_runner, per_channel):
    runner, log = begin(per_channel=per_channel)
    other = build_runner()
    autoencoder = other.model.autoencoder
    set_scale(autoencoder, latent_moments(other, 8, 32), per_channel)
    found = runner.model.autoencoder
    assert torch.equal(found.latent_scale, autoencoder.latent_scale)
    assert torch.equal(found.latent_shift, autoencoder.latent_shift)
    assert found.latent_shift.any() == per_channel
    first = f'{found.latent_scale[0].item():.6g}'
    line = f'scale [{first}, ' if per_channel else f'scale {first}, shift 0,'
    assert line in log
    assert 'from 8 images' in log


@pytest.mark.parametrize('name, value', [('scale', 0.25), ('shift', -0.5)])
def test_what_the_first_stage_brings_is_kept(
    begin, first_stage, tmp_path, name, value
):
    checkpoint = read_checkpoint(first_stage)
    measured = checkpoint['state_dict'][f'autoencoder.latent_{name}']
    measured[1] = value
    path = str(tmp_path / 'first_stage.pth')
    write_checkpoint(checkpoint, path)
    runner, log = begin(dict(model__autoencoder_checkpoint=path))
    kept = getattr(runner.model.autoencoder, f'latent_{name}')
    assert torch.equal(kept, measured)
    assert f'{value:g}, ' in log
    assert "the first stage's own, not measured again" in log
