"""What CONTRIBUTING.md shows works as it stands."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmldm.apis.first_stages import take_first_stage
from mmldm.diffusion import FlowPrediction, RectifiedFlow
from mmldm.models.conditioners import Conditioner
from mmldm.registry import DATASETS, DIFFUSION_SCHEDULERS, MODELS
from mmldm.structures import Condition
from mmldm.utils.checkpoint import write_checkpoint
from mmldm.utils.stored_config import store_config

ROOT = Path(__file__).parents[1]
PAGE = ROOT / 'CONTRIBUTING.md'
# What every test module has imported.
GIVEN = dict(torch=torch, nn=nn, Condition=Condition, __name__='page')


def sections():
    """Blocks of Python by the heading of their section."""
    found = {}
    for section in PAGE.read_text().split('\n## ')[1:]:
        blocks = re.findall(r'```python\n(.*?)```', section, re.S)
        if blocks:
            found[section.partition('\n')[0]] = blocks
    return found


SECTIONS = sections()
TESTS = [
    (heading, name)
    for heading, blocks in SECTIONS.items()
    for block in blocks
    for name in re.findall(r'^def (test_\w+)', block, re.M)
]


def configs(heading):
    """Blocks of a section that are configs."""
    start = re.compile(r'("""[^"]*"""\s*)?(_base_|model|train_dataloader) = ')
    return [block for block in SECTIONS[heading] if start.match(block)]


def config_of(heading, index=0):
    """A config that is shown: what it says of the model."""
    names = {}
    exec(configs(heading)[index], names)
    return names['model']


@pytest.fixture
def define():
    """Executes a section's code for what it defines and registers.

    What is registered goes when the test ends.
    """
    registries = (DATASETS, DIFFUSION_SCHEDULERS, MODELS)
    for registry in registries:  # else later imports are taken for the page's
        registry.import_from_location()
    before = [{*registry._module_dict} for registry in registries]

    def define(heading):
        names = dict(GIVEN)
        for block in SECTIONS[heading]:
            if block not in configs(heading):
                exec(compile(block, str(PAGE), 'exec'), names)
        return names

    yield define
    for registry, own in zip(registries, before, strict=True):
        for name in {*registry._module_dict} - own:
            del registry._module_dict[name]


@pytest.fixture
def samples(labelled):
    return [labelled(i, address=(0, i)) for i in range(2)]


@pytest.fixture
def inputs():
    return torch.rand(2, 3, 8, 8) * 2 - 1


def test_there_are_some():
    assert len(TESTS) >= 5
    assert all(SECTIONS.values())


@pytest.mark.parametrize('heading, name', TESTS)
def test_a_test_that_is_shown_passes(define, request, heading, name):
    test = define(heading)[name]
    fixtures = inspect.signature(test).parameters
    test(**{key: request.getfixturevalue(key) for key in fixtures})


def test_the_schedule_is_found_by_its_name(define):
    define('Add a noise schedule')
    schedule = DIFFUSION_SCHEDULERS.build(dict(type='LinearLogSNR'))
    levels = schedule(torch.linspace(0, 999, 7))
    found = schedule.at_log_snr(levels.log_snr).t
    torch.testing.assert_close(found, levels.t)


def test_the_solver_converges_at_order_two(define, gaussian):
    """On the exact path of a Gaussian."""
    define('Add a solver')
    solver = DIFFUSION_SCHEDULERS.build(dict(type='Leap'))
    schedule = DIFFUSION_SCHEDULERS.build(dict(type='ScaledLinearBetas'))
    z_T = torch.linspace(-2, 2, 9, dtype=torch.float64)
    errors = []
    for num_steps in (100, 200):
        log_snrs = torch.linspace(-4, 4, num_steps + 1, dtype=torch.float64)
        levels = [schedule.at_log_snr(x) for x in log_snrs]
        exact = gaussian.flow(z_T, levels[0], levels[-1])
        z = solver(gaussian.denoise, z_T, levels)
        errors.append((z - exact).abs().max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)


def test_the_denoiser_is_trained_and_sampled(
    define, tiny_ldm, samples, inputs
):
    """By the config that is shown, with the class as its vector."""
    define('Add a denoiser')
    classes = dict(
        type='ClassEmbedder', num_classes=10, embed_dim=128, slot='vector'
    )
    model = tiny_ldm(
        denoiser=config_of('Add a denoiser')['denoiser'],
        conditioner=dict(embedders=[classes]),
    )
    model.loss(inputs, samples)['loss_denoise'].backward()
    for name, weight in model.denoiser.named_parameters():
        assert weight.grad is not None, name
    assert model.predict(None, samples)[0].pred_img.any()


def shown_config(heading, index, folder, tmp_path):
    """A config that is shown, as a file in a folder of configs."""
    text = configs(heading)[index]
    path = tmp_path / f'{folder}_{index}.py'
    path.write_text(text.replace("'./", f"'{ROOT}/configs/{folder}/"))
    return Config.fromfile(path)


def test_the_autoencoder_is_trained_and_used(
    define, samples, inputs, tmp_path
):
    """By the two configs that are shown."""
    define('Add an autoencoder')
    heading = 'Add an autoencoder'
    first = shown_config(heading, 0, 'autoencoder', tmp_path)
    stage = MODELS.build(first.model)
    losses = stage.loss(inputs, samples)
    assert {'loss_rec', 'loss_size'} <= {*losses}
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert stage.autoencoder.encoder.weight.grad.any()
    path = str(tmp_path / 'first.pth')
    meta = dict(cfg=store_config(dict(model=first.model.to_dict())))
    write_checkpoint(dict(state_dict=stage.state_dict(), meta=meta), path)
    config = shown_config(heading, 1, 'ldm', tmp_path).model
    config.update(autoencoder_checkpoint=path, image_size=8)
    config.denoiser.update(channel_mults=(1,), num_res_blocks=1)
    config.diffusion_scheduler.num_steps = 2
    take_first_stage(config)
    model = MODELS.build(config)
    encoder = model.autoencoder.encoder.weight
    assert torch.equal(encoder, stage.autoencoder.encoder.weight)
    assert model.loss(inputs, samples)['loss_denoise'] > 0
    model.predict(None, samples)
    assert samples[0].pred_img.shape == (3, 8, 8)


def test_the_condition_is_dropped(define, samples):
    define('Add a condition')
    size = dict(type='ImageSize', embed_dim=4)
    conditioner = Conditioner([size], drop_prob=0.1)
    assert conditioner.dim('vector') == 4
    cond, null = conditioner(samples), conditioner.null(samples)
    assert not torch.equal(cond.vector, null.vector)


def test_a_condition_with_a_loss_is_trained(define, tiny_ldm, samples, inputs):
    """By the config that is shown."""
    heading = 'Add a condition with a loss'
    define(heading)
    for sample, caption in zip(samples, ('a', 'bcd'), strict=True):
        sample.caption = caption
    model = tiny_ldm(**config_of(heading))
    losses = model.loss(inputs, samples)
    assert sorted(losses) == ['loss_count', 'loss_denoise']
    sum(losses.values()).backward()
    (embedder,) = model.conditioner.embedders
    for name, weight in embedder.named_parameters():
        assert weight.grad.any(), name


def test_a_term_of_the_loss_is_trained(
    define, tiny_ldm, samples, inputs, tmp_path, monkeypatch
):
    """By the config that is shown; the teacher stays as it is."""
    heading = 'Add a term of the loss'
    define(heading)
    monkeypatch.chdir(tmp_path)
    write_checkpoint(nn.Conv2d(3, 16, 4, 4).state_dict(), 'teacher.pth')
    model = tiny_ldm(**config_of(heading))
    losses = model.loss(inputs, samples)
    losses['loss_align'].backward()
    (term,) = model.extra_losses
    assert term.project.weight.grad.any()
    assert model.denoiser.conv_in.weight.grad.any()
    assert term.teacher.weight.grad is None
    state = model.state_dict()
    assert 'extra_losses.0.teacher_hash' in state
    assert 'extra_losses.0.teacher.weight' not in state


def test_the_data_of_the_config_are_cropped(define, tmp_path, monkeypatch):
    """By the config that is shown."""
    heading = 'Add a data set'
    define(heading)
    monkeypatch.chdir(tmp_path)
    np.save('images.npy', np.full((20, 80, 96, 3), 7, np.uint8))
    np.save('labels.npy', np.arange(20))
    names = {}
    exec(configs(heading)[0], names)
    dataset = names['train_dataloader']['dataset']
    del dataset['_delete_']
    data = DATASETS.build(dataset)
    assert len(data) == 19
    assert data[3]['inputs'].shape == (3, 64, 64)
    assert data[3]['data_samples'].gt_label.label == 3
    np.save('labels.npy', np.arange(19))
    with pytest.raises(ValueError, match='must be as many'):
        DATASETS.build(dataset)


def test_the_config_trains_what_it_says(samples, inputs, tmp_path):
    config = shown_config('Add a config', 0, 'ldm', tmp_path).model
    take_first_stage(config)
    config.autoencoder_checkpoint = None
    config.diffusion_scheduler.num_steps = 2
    model = MODELS.build(config)
    scheduler = model.diffusion_scheduler
    assert isinstance(scheduler.noise_schedule, RectifiedFlow)
    assert isinstance(scheduler.prediction, FlowPrediction)
    assert model.loss(inputs, samples)['loss_denoise'] > 0
