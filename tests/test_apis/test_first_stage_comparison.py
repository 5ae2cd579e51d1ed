"""The comparison of first stages: plan, equal compute, numbers, verdict."""

import subprocess
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from mmldm.apis.first_stage_comparison import (
    Budget,
    measure_stage,
    measuring,
    plan_stages,
    recommend,
    table,
)
from mmldm.apis.first_stage_comparison.trainings import (
    iterations_of_equal_cost,
    step_operations,
    train,
)
from mmldm.apis.run_config import read_run_config
from mmldm.models.autoencoders import Autoencoder
from mmldm.models.feature_networks import build_feature_network
from mmldm.utils.shipped import config_path

BUDGET = Budget('photos', 64, 4, iters=100, ldm_iters=50)
ROW = dict(
    factor=4,
    values=768,
    rate=0.25,
    psnr=27.0,
    feature_distance=0.1,
    rfid=3.0,
    encode_ms=1.0,
    decode_ms=2.0,
    step_gflop=1.0,
    ldm_iters=50,
    validation_loss=0.2,
    sample_distance=100.0,
)


@pytest.mark.parametrize('factor', [2, 4, 8, 16])
def test_a_planned_first_stage_has_its_factor(factor, tmp_path):
    stage, _ = plan_stages([factor, 2], [], BUDGET, tmp_path)
    training = stage.training
    cfg = read_run_config(
        str(config_path(training.config)),
        training.all_options,
        str(training.work_dir),
    )
    mults = cfg.model.autoencoder.channel_mults
    assert 2 ** (len(mults) - 1) == factor
    assert cfg.train_cfg.max_iters == 100
    assert cfg.train_dataloader.dataset.size == 64
    assert cfg.train_dataloader.dataset.data_root.endswith('photos')


def test_models_get_the_same_operations(tmp_path):
    assert iterations_of_equal_cost([400, 100, 50], 10) == [10, 40, 80]


@pytest.mark.slow
def test_a_step_in_smaller_latents_is_cheaper(tiny_first_stages, tmp_path):
    stages = plan_stages([], tiny_first_stages, BUDGET, tmp_path)
    fine, coarse = (step_operations(stage.ldm, 64) for stage in stages)
    assert coarse < fine


@pytest.fixture
def tiny_first_stages(tmp_path):
    """Work directories' checkpoints of first stages of factors 2 and 4."""
    from mmldm.registry import MODELS
    from mmldm.utils.checkpoint import write_checkpoint
    from mmldm.utils.stored_config import store_config

    paths = []
    for factor in (2, 4):
        stage, _ = plan_stages([factor, 2], [], BUDGET, tmp_path / 'plan')
        cfg = read_run_config(
            str(config_path(stage.training.config)),
            stage.training.options,
            str(tmp_path / 'plan'),
        )
        content = dict(
            state_dict=MODELS.build(cfg.model.to_dict()).state_dict(),
            meta=dict(cfg=store_config(cfg.to_dict())),
        )
        paths.append(str(tmp_path / f'f{factor}.pth'))
        write_checkpoint(content, paths[-1])
    return paths


def test_a_folder_of_other_images_is_refused(tmp_path):
    plan_stages([2, 4], [], BUDGET, tmp_path)
    plan_stages([4, 8], [], BUDGET, tmp_path)
    other = replace(BUDGET, size=32)
    with pytest.raises(ValueError, match='size=64.*another work_dir'):
        plan_stages([2, 4], [], other, tmp_path)


@pytest.mark.parametrize(
    'change, said',
    [
        (dict(iters=50), 'iters=100, not 50'),
        (dict(ldm_iters=25), 'ldm_iters=50, not 25'),
    ],
)
def test_other_lengths_are_refused(change, said, tmp_path):
    """A shorter training would be taken for done, and a longer one judged."""
    plan_stages([2, 4], [], BUDGET, tmp_path)
    with pytest.raises(ValueError, match=f'{said}.*another work_dir'):
        plan_stages([2, 4], [], replace(BUDGET, **change), tmp_path)


def test_first_stages_of_one_name_are_refused(tmp_path):
    """Both would share the folder, and the samples, of one model."""
    for folder in 'ab':
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'iter_9.pth').touch()
    one, two = (str(tmp_path / folder / 'iter_9.pth') for folder in 'ab')
    with pytest.raises(ValueError, match='another first stage iter_9 is'):
        plan_stages([], [one, two], BUDGET, tmp_path / 'work')
    plan_stages([4], [one], BUDGET, tmp_path / 'work')
    with pytest.raises(ValueError, match='iter_9=.*another work_dir'):
        plan_stages([4], [two], BUDGET, tmp_path / 'work')


def test_wrong_plans_are_refused(tmp_path):
    with pytest.raises(ValueError, match='several factors'):
        plan_stages([4], [], BUDGET, tmp_path)
    with pytest.raises(ValueError, match='size=64 is no multiple of 128'):
        plan_stages([2, 32], [], BUDGET, tmp_path)


def test_a_finished_training_is_not_repeated(tmp_path, monkeypatch):
    calls = []

    def run(command):
        calls.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, 'run', run)
    (stage, _) = plan_stages([2, 4], [], BUDGET, tmp_path)
    train(stage.training)
    stage.training.work_dir.mkdir()
    (stage.training.work_dir / 'iter_100.pth').touch()
    train(stage.training)
    (command,) = calls
    assert '--resume' in command
    assert 'train_cfg.max_iters=100' in command
    with pytest.raises(ValueError, match='for 100 iterations, but .* for 99'):
        train(replace(stage.training, iters=99))


def test_a_failed_training_ends_the_comparison(tmp_path, monkeypatch):
    failed = SimpleNamespace(returncode=3)
    monkeypatch.setattr(subprocess, 'run', lambda command: failed)
    (stage, _) = plan_stages([2, 4], [], BUDGET, tmp_path)
    with pytest.raises(ValueError, match=r'kl-f2 failed with status 3'):
        train(stage.training)


class Halving(Autoencoder):
    """Images of half the size; exact for images of 2x2 blocks."""

    def __init__(self):
        super().__init__(latent_channels=3, factor=2)
        self.weight = torch.nn.Parameter(torch.ones(()))

    def encode_raw(self, x, draw_noise):
        return x[:, :, ::2, ::2]

    def decode_raw(self, z):
        return z.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_numbers_of_a_first_stage(monkeypatch):
    model = SimpleNamespace(autoencoder=Halving())
    monkeypatch.setattr(measuring, 'init_model', lambda source: model)
    blocks = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    images = [*blocks.repeat_interleave(2, 2).repeat_interleave(2, 3)]
    network = build_feature_network(dict(type='EfficientNetLiteFeatures'))
    found, pictures = measure_stage('any', images, network)
    assert (found['factor'], found['channels']) == (2, 3)
    assert found['values'] == 3 * 8 * 8
    assert found['rate'] == 1 / 4
    assert found['psnr'] == 100
    assert found['feature_distance'] == pytest.approx(0, abs=1e-5)
    assert found['rfid'] == pytest.approx(0, abs=1e-3)
    assert all(map(torch.equal, pictures, images))
    images[0] = images[0].flip(1).roll(1, 2)
    worse, _ = measure_stage('any', images, network)
    assert worse['psnr'] < 100
    assert worse['feature_distance'] > found['feature_distance']


def test_the_nearest_samples_win_and_ties_go_to_the_cheaper():
    rows = [
        dict(ROW, name='a', sample_distance=97, step_gflop=4, psnr=30),
        dict(ROW, name='b', sample_distance=100),
        dict(ROW, name='c', sample_distance=130, step_gflop=0.5),
    ]
    best, reason = recommend(rows, num_samples=100)
    assert best == 'b'
    assert 'within 5%' in reason
    assert 'a reconstructs better (30.0 against 27.0 dB)' in reason
    assert '4.0 times' in reason
    assert '100 samples give rough distances' in reason
    best, reason = recommend(rows[1:], num_samples=5000)
    assert best == 'b'
    assert 'nearest' in reason and 'rough' not in reason


def test_the_table_has_a_row_for_each_stage():
    lines = table([dict(ROW, name='one'), dict(ROW, name='two')]).splitlines()
    assert len(lines) == 4
    assert {line.count('|') for line in lines} == {14}
    assert [line.split()[1] for line in lines[2:]] == ['one', 'two']


def test_few_images_are_refused(monkeypatch):
    data = SimpleNamespace(to_dict=lambda: dict(data_root='folder'))
    cfg = SimpleNamespace(val_dataloader=SimpleNamespace(dataset=data))
    monkeypatch.setattr(
        measuring, 'DATASETS', SimpleNamespace(build=lambda c: [0])
    )
    with pytest.raises(ValueError, match='folder has 1 images'):
        measuring.images_of(cfg, 'val', 10)
