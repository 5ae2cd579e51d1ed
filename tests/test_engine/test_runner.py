"""Resume, checkpoints and refusals of the runner."""

import errno
import os

import mmengine
import pytest
import torch
from mmengine.hooks import Hook

from mmldm.engine import checkpoint_choice
from mmldm.engine import runner as ldm_runner
from mmldm.engine.checkpoint_content import check_finite
from mmldm.utils.checkpoint import read_checkpoint


def checkpoint(runner, iteration):
    return os.path.join(runner.work_dir, f'iter_{iteration}.pth')


def states_equal(a, b):
    assert a.keys() == b.keys()
    for key, value in a.items():
        if isinstance(value, dict):
            states_equal(value, b[key])
        elif isinstance(value, torch.Tensor):
            torch.testing.assert_close(
                value, b[key], rtol=0, atol=0, equal_nan=True
            )
        else:
            assert value == b[key], key


@pytest.fixture(scope='module')
def runs():
    """Trainings that several tests read, by name."""
    return {}


@pytest.fixture
def whole(build_runner, made_once, runs):
    """The training that nothing interrupted; its files are not to change."""
    if 'whole' not in runs:
        runs['whole'] = build_runner(work_dir=str(made_once / 'whole'))
        runs['whole'].train()
    return runs['whole']


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('iteration', [2, 4])
def test_resumed_losses_equal_the_uninterrupted_ones(
    build_runner, whole, iteration, workers
):
    """Dropout, the average and the shuffled order take part."""
    resumed = build_runner(
        load_from=checkpoint(whole, iteration),
        resume=True,
        train_dataloader__num_workers=workers,
    )
    resumed.train()
    expected = {i: x for i, x in whole.record.losses.items() if i >= iteration}
    assert resumed.record.losses == expected
    for key in ('state_dict', 'raw_state_dict', 'optimizer'):
        ends = [read_checkpoint(checkpoint(r, 6)) for r in (whole, resumed)]
        if key == 'optimizer':
            ends = [dict(enumerate(e[key]['state'].values())) for e in ends]
        else:
            ends = [e[key] for e in ends]
        states_equal(*ends)


@pytest.mark.parametrize('of', ['first stage', 'latent diffusion'])
def test_a_loss_is_given_the_iterations_done(
    build_runner, adversarial_training, of, monkeypatch
):
    options = adversarial_training if of == 'first stage' else {}
    whole = build_runner(**options, train_cfg__max_iters=4)
    given, model = [], type(whole.bare_model)
    name = '_losses' if of == 'first stage' else 'loss'
    real = getattr(model, name)

    def spy(self, inputs, data_samples, iteration, **others):
        given.append(iteration)
        return real(self, inputs, data_samples, iteration, **others)

    monkeypatch.setattr(model, name, spy)
    whole.train()
    resumed = build_runner(
        **options, load_from=checkpoint(whole, 2), resume=True
    )
    resumed.train()
    assert given == [0, 1, 2, 3, 2, 3, 4, 5]


@pytest.mark.parametrize('iteration', [2, 4])
def test_a_resumed_first_stage_equals_the_uninterrupted_one(
    build_runner, adversarial_training, iteration
):
    """Both optimizers, batch statistics and the codebook take part."""
    whole = build_runner(**adversarial_training)
    whole.train()
    resumed = build_runner(
        **adversarial_training,
        load_from=checkpoint(whole, iteration),
        resume=True,
        work_dir=whole.work_dir + '-resumed',
    )
    resumed.train()
    expected = {i: x for i, x in whole.record.losses.items() if i >= iteration}
    assert resumed.record.losses == expected
    one, other = (read_checkpoint(checkpoint(r, 6)) for r in (whole, resumed))
    states_equal(one['state_dict'], other['state_dict'])
    states_equal(one['raw_state_dict'], other['raw_state_dict'])
    assert one['optimizer'].keys() == {'autoencoder', 'adversarial'}
    for name, state in one['optimizer'].items():
        states_equal(state['state'], other['optimizer'][name]['state'])


@pytest.mark.parametrize('term', ['loss_rec', 'loss_discriminator'])
def test_a_loss_that_is_not_finite_stops_with_a_name(
    build_runner, adversarial_training, term, monkeypatch
):
    """Before anything is stored; the last good checkpoint is named."""
    runner = build_runner(
        **adversarial_training, default_hooks__checkpoint__interval=1
    )
    real = type(runner.model).train_step

    def train_step(self, data, optim_wrapper):
        logged = real(self, data, optim_wrapper)
        if runner.iter == 4:
            logged[term] = logged[term] * float('nan')
        return logged

    monkeypatch.setattr(type(runner.model), 'train_step', train_step)
    message = f'iteration 5 .*{term}=nan.*is .*iter_4.pth; resume with'
    with pytest.raises(FloatingPointError, match=message):
        runner.train()
    assert not os.path.exists(checkpoint(runner, 5))


def test_weights_that_are_not_finite_are_not_stored(build_runner):
    """A finite loss may have infinite gradients."""
    runner = build_runner(default_hooks__checkpoint__interval=1)

    class Break(Hook):
        priority = 'VERY_HIGH'

        def after_train_iter(self, runner, batch_idx, *_, **__):
            if batch_idx == 1:
                weight = next(runner.model.denoiser.parameters())
                weight.data[0] = float('inf')

    runner.register_hook(Break())
    message = (
        'weights are not finite after iteration 2, among them denoiser.*'
        'iter_1.pth'
    )
    with pytest.raises(FloatingPointError, match=message):
        runner.train()
    assert not os.path.exists(checkpoint(runner, 2))


@pytest.mark.parametrize('key', ['interval', 'max_iters'])
def test_checkpoints_between_two_steps_of_either_optimizer_are_refused(
    build_runner, adversarial_training, key
):
    options = (
        dict(default_hooks__checkpoint__interval=3)
        if key == 'interval'
        else dict(train_cfg__max_iters=7)
    )
    runner = build_runner(
        **adversarial_training,
        **options,
        optim_wrapper__adversarial__accumulative_counts=2,
    )
    message = f'{key}=.*divisible by optim_wrapper.adversarial.accum'
    with pytest.raises(ValueError, match=message):
        runner.train()


def test_resume_takes_the_newest_checkpoint_of_the_work_dir(build_runner):
    first = build_runner(train_cfg__max_iters=4)
    first.train()
    second = build_runner(resume=True)
    second.train()
    assert sorted(second.record.losses) == [4, 5]


def test_resume_without_a_checkpoint_starts_from_the_beginning(build_runner):
    runner = build_runner(resume=True)
    runner.train()
    assert sorted(runner.record.losses) == list(range(6))


def test_resume_goes_on_with_the_seed_that_was_drawn(build_runner):
    whole = build_runner(randomness__seed=None)
    whole.train()
    resumed = build_runner(
        load_from=checkpoint(whole, 4), resume=True, randomness__seed=None
    )
    resumed.train()
    assert resumed.record.losses[5] == whole.record.losses[5]


def test_the_seed_arrives(build_runner):
    losses = []
    for seed in (3, 4):
        runner = build_runner(randomness__seed=seed, train_cfg__max_iters=1)
        runner.train()
        losses.append(runner.record.losses[0])
    assert losses[0] != losses[1]


def test_a_config_inside_a_checkpoint_is_not_executed(
    build_runner, first, tmp_path
):
    path = checkpoint(first, 2)
    poisoned = torch.load(path, weights_only=True)
    mark = tmp_path / 'executed'
    poisoned['meta']['config'] = f'open({str(mark)!r}, "w")'
    torch.save(poisoned, path)
    build_runner(load_from=path, resume=True).train()
    assert not mark.exists()


def test_a_checkpoint_loads_as_weights_only(build_runner):
    runner = build_runner(train_cfg__max_iters=2)
    runner.train()
    state = torch.load(checkpoint(runner, 2), weights_only=True)
    assert state['meta']['iter'] == 2
    losses, _ = state['message_hub']['log_scalars']['train/loss']
    expected = [runner.record.losses[i] for i in (0, 1)]
    assert losses.tolist() == pytest.approx(expected)


def test_a_full_disk_leaves_the_checkpoint_before(build_runner, monkeypatch):
    real_fsync = os.fsync
    calls = []

    def full_at_the_second(descriptor):
        calls.append(descriptor)
        # Of the first checkpoint: its file, its directory and its record.
        if len(calls) > 3:
            raise OSError(errno.ENOSPC, 'No space left on device')
        real_fsync(descriptor)

    monkeypatch.setattr(os, 'fsync', full_at_the_second)
    runner = build_runner(default_hooks__checkpoint__max_keep_ckpts=1)
    with pytest.raises(OSError, match='iter_4.pth could not be written'):
        runner.train()
    files = [n for n in os.listdir(runner.work_dir) if 'iter_' in n]
    assert files == ['iter_2.pth']
    assert read_checkpoint(checkpoint(runner, 2))['meta']['iter'] == 2


def test_another_architecture_is_refused_by_name(build_runner, first):
    wider = build_runner(
        load_from=checkpoint(first, 2), model__denoiser__num_res_blocks=2
    )
    with pytest.raises(ValueError, match='not in the file: denoiser'):
        wider.train()


def test_a_global_batch_is_the_batch_of_one_process(
    build_runner, training_config
):
    del training_config.train_dataloader['batch_size']
    runner = build_runner(
        train_dataloader__global_batch_size=6, train_cfg__max_iters=1
    )
    runner.train()
    assert runner.train_dataloader.batch_size == 6


def test_a_batch_that_does_not_divide_is_refused(
    build_runner, training_config, monkeypatch
):
    del training_config.train_dataloader['batch_size']
    monkeypatch.setattr(ldm_runner.LDMRunner, 'world_size', 2)
    message = 'global_batch_size=5 is not divisible by .* processes=2'
    with pytest.raises(ValueError, match=message):
        build_runner(train_dataloader__global_batch_size=5).train()


def test_two_batch_sizes_are_refused(build_runner):
    with pytest.raises(ValueError, match='global_batch_size=4 instead'):
        build_runner(train_dataloader__global_batch_size=6).train()


def test_a_sampler_that_cannot_resume_is_refused(build_runner):
    runner = build_runner(
        train_dataloader__sampler=dict(_delete_=True, type='InfiniteSampler')
    )
    with pytest.raises(ValueError, match="type='AddressedSampler'"):
        runner.train()


def test_a_dataset_that_cannot_resume_is_told(build_runner, caplog):
    """mmengine's wrappers pass on plain indices, without their address."""
    runner = build_runner(
        train_dataloader__dataset=dict(
            _delete_=True,
            type='mmengine.RepeatDataset',
            times=2,
            dataset=dict(
                type='DigitsDataset',
                split='train',
                size=8,
                pipeline=[dict(type='PackInputs')],
            ),
        ),
        train_cfg__max_iters=1,
        default_hooks__latent_scale=None,
    )
    runner.logger.addHandler(caplog.handler)
    runner.train()
    assert 'RepeatDataset does not seed its augmentations' in caplog.text


def test_resume_between_accumulated_batches_is_exact(build_runner):
    options = dict(
        optim_wrapper__accumulative_counts=2, train_cfg__max_iters=5
    )
    whole = build_runner(**options)
    whole.train()
    resumed = build_runner(
        load_from=checkpoint(whole, 4), resume=True, **options
    )
    resumed.train()
    assert resumed.record.losses[4] == whole.record.losses[4]
    states_equal(*(r.model.state_dict() for r in (whole, resumed)))


def test_a_checkpoint_between_two_steps_is_refused(build_runner):
    runner = build_runner(optim_wrapper__accumulative_counts=3)
    with pytest.raises(ValueError, match='interval=2 is not divisible'):
        runner.train()


def test_a_checkpoint_is_resumed_on_the_cpu(build_runner, first, monkeypatch):
    """As on a GPU, where mmengine reads histories and steps onto it."""
    resumed = build_runner(load_from=checkpoint(first, 2), resume=True)
    monkeypatch.setattr(mmengine.runner.runner, 'get_device', lambda: 'meta')
    resumed.train()
    assert sorted(resumed.record.losses) == [2, 3, 4, 5]


def test_processes_that_find_other_files_are_refused(
    build_runner, monkeypatch
):
    monkeypatch.setattr(
        checkpoint_choice,
        'all_gather_object',
        lambda plan: [plan, (True, 'iter_4.pth')],
    )
    with pytest.raises(ValueError, match='a disk that all machines share'):
        build_runner(resume=True).train()


def test_ranks_with_seeds_of_their_own_are_refused(build_runner):
    with pytest.raises(ValueError, match='diff_rank_seed=True'):
        build_runner(randomness__diff_rank_seed=True)


@pytest.mark.parametrize('key', ['max_iters', 'val_interval'])
def test_numbers_of_iterations_are_positive(build_runner, key):
    with pytest.raises(ValueError, match=f'train_cfg.{key}=0 must be'):
        build_runner(**{f'train_cfg__{key}': 0}).train()


def test_buffers_that_are_not_finite_are_not_stored(
    build_runner, adversarial_training
):
    runner = build_runner(**adversarial_training)
    runner.model.autoencoder.quantizer.ema_sum[0] = float('nan')
    with pytest.raises(FloatingPointError, match='quantizer.ema_sum'):
        check_finite(runner)


def test_the_average_follows_the_autoencoders_optimizer(
    build_runner, adversarial_training
):
    """In whatever order the config names the two."""
    optimizers = adversarial_training['optim_wrapper']
    adversarial = optimizers.pop('adversarial')
    autoencoder = optimizers.pop('autoencoder')
    optimizers['adversarial'] = adversarial
    optimizers['autoencoder'] = {**autoencoder, 'accumulative_counts': 2}
    runner = build_runner(**adversarial_training)
    runner.train()
    stored = read_checkpoint(checkpoint(runner, 6))
    assert stored['ema_num_updates'] == 3


def test_processes_that_are_to_wait_no_time_are_refused():
    runner = object.__new__(ldm_runner.LDMRunner)
    runner._distributed = True
    with pytest.raises(ValueError, match='env_cfg.dist_cfg.timeout=0'):
        runner.setup_env(dict(dist_cfg=dict(timeout=0)))
