"""Every flag of train.py and test.py has a test that it arrives."""

import json
import os
import re
from pathlib import Path

import pytest
import torch

from mmldm.engine import AutocastOptimWrapper
from mmldm.utils.checkpoint import newest_checkpoint, read_checkpoint

ROOT = Path(__file__).parents[2]


@pytest.fixture
def train(run_tool, config, work_dir):
    return lambda *flags: run_tool(
        'train', config, '--work-dir', work_dir, *flags
    )


@pytest.fixture
def test(run_tool, config, work_dir):
    return lambda *flags: run_tool(
        'test', config, work_dir, '--work-dir', work_dir + '-test', *flags
    )


def last_loss(runner):
    return runner.message_hub.get_scalar('train/loss').current()


def weights(work_dir):
    return read_checkpoint(os.path.join(work_dir, 'iter_4.pth'))['state_dict']


def test_train_then_test_writes_what_it_says(train, test, work_dir, tmp_path):
    train()
    assert {'iter_2.pth', 'iter_4.pth'} <= set(os.listdir(work_dir))
    out, show = tmp_path / 'deep' / 'metrics.json', tmp_path / 'show'
    test('--out', out, '--show-dir', show)
    metrics = json.loads(out.read_text())
    assert set(metrics) == {'class_accuracy', 'test_accuracy_real'}
    assert metrics['test_accuracy_real'] > 0.95
    assert sorted(os.listdir(show)) == ['grid.png', 'images']
    assert len(os.listdir(show / 'images')) == 10


def test_a_few_samples_choose_the_best_checkpoint(run_tool, config, tmp_path):
    """The example of docs/en/judging.md, for a tiny model and few images."""
    page = (ROOT / 'docs/en/judging.md').read_text()
    (example,) = re.findall(r'```python\n# child.py\n(.*?)```', page, re.S)
    child, work = tmp_path / 'child.py', tmp_path / 'work'
    child.write_text(re.sub("_base_ = '.*'", f'_base_ = {config!r}', example))
    runner = run_tool(
        *('train', child, '--work-dir', work, '--cfg-options'),
        *('val_dataloader.dataset.num_samples=6', 'train_cfg.val_interval=2'),
        *('val_evaluator.0.features.side=32', 'train_cfg.max_iters=6'),
        'train_dataloader.dataset.indices=20',
    )
    values = runner.message_hub.get_scalar('val/efficientnet_lite0/fd').data[0]
    best = 2 * (1 + int(values.argmin()))
    assert len(values) == 3
    name = f'best_efficientnet_lite0_fd_iter_{best}.pth'
    assert [path.name for path in work.glob('best*')] == [name]


def test_resume_goes_on_from_the_newest(train, work_dir):
    whole = last_loss(train())
    os.remove(os.path.join(work_dir, 'iter_4.pth'))
    resumed = train('--resume')
    assert last_loss(resumed) == whole
    assert resumed.message_hub.get_info('iter') == 3


def test_resume_takes_a_path(train, work_dir):
    train()
    runner = train('--resume', os.path.join(work_dir, 'iter_2.pth'))
    assert runner._load_from.endswith('iter_2.pth')
    assert runner.iter == 4


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_amp_trains_in_that_precision(train, dtype):
    runner = train('--amp', dtype)
    assert isinstance(runner.optim_wrapper, AutocastOptimWrapper)
    assert runner.optim_wrapper.dtype == getattr(torch, dtype)
    assert 0 < last_loss(runner) < 2


def test_amp_alone_is_bfloat16(train):
    assert train('--amp').optim_wrapper.dtype == torch.bfloat16


def test_flags_are_for_every_optimizer(run_tool, adversarial_config, work_dir):
    flags = ('--work-dir', work_dir, '--amp', 'float16', '--auto-scale-lr')
    options = ('--cfg-options', 'auto_scale_lr.base_batch_size=2')
    runner = run_tool('train', adversarial_config, *flags, *options)
    assert [*runner.optim_wrapper.keys()] == ['autoencoder', 'adversarial']
    for wrapper in runner.optim_wrapper.values():
        assert isinstance(wrapper, AutocastOptimWrapper)
        assert wrapper.dtype == torch.float16
        assert wrapper.param_groups[0]['lr'] == pytest.approx(2e-4)
    assert 0 < last_loss(runner) < 5


def test_auto_scale_lr_scales_by_the_batch(train):
    def rate(*flags):
        group = train(*flags).optim_wrapper.param_groups[0]
        return group['initial_lr']

    # Four images in all, of the 64 that the rate is meant for.
    assert rate('--auto-scale-lr') == pytest.approx(rate() * 4 / 64)


def test_auto_scale_lr_without_a_base_is_refused(train):
    with pytest.raises(ValueError, match='auto_scale_lr.base_batch_size'):
        train(
            '--auto-scale-lr',
            '--cfg-options',
            'auto_scale_lr={"_delete_":True}',
        )


def test_cfg_options_reach_the_model(train):
    runner = train('--cfg-options', 'model.denoiser.res_block.dropout=0.25')
    dropouts = {
        m.p for m in runner.model.modules() if isinstance(m, torch.nn.Dropout)
    }
    assert 0.25 in dropouts


def test_the_seed_of_training_changes_the_weights(train, work_dir):
    ends = []
    for seed in ('1', '2', '1'):
        train('--seed', seed)
        ends.append(weights(work_dir)['denoiser.conv_in.weight'])
    assert torch.equal(ends[0], ends[2])
    assert not torch.equal(ends[0], ends[1])


def test_the_seed_of_a_test_changes_the_images(train, test, tmp_path):
    train()
    images = []
    for seed in ('1', '2', '1'):
        show = tmp_path / f'show{len(images)}'
        test('--seed', seed, '--show-dir', show)
        images.append((show / 'images/000000.png').read_bytes())
    assert images[0] == images[2] != images[1]


def test_images_do_not_depend_on_the_batch_size(train, test, tmp_path):
    train()
    images = []
    for batch_size in (2, 5):
        show = tmp_path / f'show{batch_size}'
        test(
            '--show-dir',
            show,
            '--cfg-options',
            f'test_dataloader.batch_size={batch_size}',
        )
        images.append((show / 'images/000003.png').read_bytes())
    assert images[0] == images[1]


def test_deterministic_turns_on_deterministic_algorithms(train):
    try:
        train('--deterministic')
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_a_missing_checkpoint_is_named(run_tool, config, tmp_path):
    with pytest.raises(FileNotFoundError, match='no.pth does not exist'):
        run_tool('test', config, tmp_path / 'no.pth')


def test_resume_prefers_its_own_checkpoints_to_load_from(
    train, run_tool, config, work_dir, tmp_path
):
    """A fine-tuning that was killed must not begin anew."""
    train()
    given = ('--cfg-options', f'load_from={work_dir}/iter_4.pth')
    flags = (config, '--work-dir', tmp_path / 'tuned', '--resume', *given)
    first = run_tool('train', *flags, 'train_cfg.max_iters=2')
    assert first.message_hub.get_info('iter') == 1  # began at 0
    second = run_tool('train', *flags)
    assert second._load_from.endswith('tuned/iter_2.pth')
    assert second.iter == 4


def test_the_newest_checkpoint_is_of_the_last_training(train, work_dir):
    train('--seed', '1')
    train('--seed', '2', '--cfg-options', 'train_cfg.max_iters=2')
    assert newest_checkpoint(work_dir).name == 'iter_2.pth'
