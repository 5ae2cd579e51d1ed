"""What the hooks do to a run of the tiny model."""

import importlib.util
import os
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from mmldm.utils.checkpoint import read_checkpoint
from mmldm.visualization import ImageGridHook


def checkpoint(runner, iteration):
    return read_checkpoint(
        os.path.join(runner.work_dir, f'iter_{iteration}.pth')
    )


def test_the_average_follows_its_recursion(build_runner):
    runner = build_runner(default_hooks__checkpoint__interval=1)
    initial = {
        name: w.detach().clone() for name, w in runner.model.named_parameters()
    }
    runner.train()
    name = 'conditioner.embedders.0.embedding.weight'
    average = initial[name]
    for n in range(1, 7):
        raw = checkpoint(runner, n)['raw_state_dict'][name]
        decay = (1 + n) / (10 + n)
        average = decay * average + (1 - decay) * raw
    stored = checkpoint(runner, 6)
    torch.testing.assert_close(stored['state_dict'][name], average)
    assert stored['ema_num_updates'] == 6


def test_the_average_counts_steps_of_the_optimizer(build_runner):
    runner = build_runner(
        optim_wrapper__accumulative_counts=3,
        default_hooks__checkpoint__interval=3,
    )
    runner.train()
    assert checkpoint(runner, 6)['ema_num_updates'] == 2


def test_decay_is_the_limit(build_runner):
    runner = build_runner(default_hooks__ema__decay=0.0)
    runner.train()
    stored = checkpoint(runner, 6)
    for name, raw in stored['raw_state_dict'].items():
        torch.testing.assert_close(stored['state_dict'][name], raw)


def test_frozen_weights_are_not_averaged(build_runner):
    runner = build_runner()
    runner.train()
    names = checkpoint(runner, 6)['raw_state_dict']
    assert {n.split('.')[0] for n in names} == {'denoiser', 'conditioner'}


def test_an_unknown_module_is_refused(build_runner):
    with pytest.raises(ValueError, match="'denoisr'"):
        build_runner(default_hooks__ema__modules=['denoisr']).train()


def test_latents_have_the_scale_of_one(build_runner):
    runner = build_runner(
        default_hooks__latent_scale__num_samples=64,
        default_hooks__ema=None,
        train_cfg__max_iters=2,
    )
    runner.train()
    dataset = runner.train_dataloader.dataset
    images = torch.stack(
        [dataset[i]['inputs'] for i in range(0, len(dataset), 10)]
    )
    z = runner.model.autoencoder.encode(
        images.float() / 127.5 - 1, torch.randn_like
    )
    assert z.std().item() == pytest.approx(1, abs=0.02)
    stored = checkpoint(runner, 2)['state_dict']['autoencoder.latent_scale']
    assert torch.equal(stored, runner.model.autoencoder.latent_scale)


def test_a_loaded_scale_is_kept(build_runner):
    first = build_runner(train_cfg__max_iters=2)
    first.train()
    path = os.path.join(first.work_dir, 'iter_2.pth')
    tuned = build_runner(
        load_from=path,
        work_dir=first.work_dir + '-tuned',
        train_dataloader__dataset__split='test',
    )
    tuned.train()
    assert torch.equal(
        tuned.model.autoencoder.latent_scale,
        first.model.autoencoder.latent_scale,
    )


def test_ranks_and_iterations_drop_out_differently(build_runner):
    hook = [
        h
        for h in build_runner().hooks
        if type(h).__name__ == 'AddressedSeedHook'
    ][0]
    draws = set()
    for rank, iteration in [(0, 0), (1, 0), (0, 1)]:
        runner = SimpleNamespace(seed=0, rank=rank, iter=iteration)
        hook.before_train_iter(runner, batch_idx=0)
        draws.add(torch.rand(()).item())
    assert len(draws) == 3


def test_only_the_newest_checkpoints_are_kept(build_runner):
    runner = build_runner(
        default_hooks__checkpoint__interval=1,
        default_hooks__checkpoint__max_keep_ckpts=2,
    )
    runner.train()
    files = sorted(n for n in os.listdir(runner.work_dir) if 'iter_' in n)
    assert files == ['iter_5.pth', 'iter_6.pth']


@pytest.fixture
def requests():
    return dict(
        batch_size=3,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='GenerationRequests',
            num_samples=4,
            size=(8, 8),
            num_classes=2,
            pipeline=[dict(type='PackInputs')],
        ),
    )


def test_validation_draws_with_the_average(
    build_runner, training_config, requests
):
    training_config.update(
        val_dataloader=requests, val_evaluator=[], val_cfg=dict()
    )
    runner = build_runner(
        train_cfg__val_interval=6,
        default_hooks__visualization=dict(type='ImageGridHook', num_images=4),
    )
    seen = []
    runner.model.denoiser.register_forward_pre_hook(
        lambda module, args: seen.append(
            (module.training, module.conv_in.weight.detach().clone())
        )
    )
    runner.train()
    stored = checkpoint(runner, 6)
    name = 'denoiser.conv_in.weight'
    in_training, in_validation = seen[5], seen[-1]
    assert in_training[0] and not in_validation[0]
    torch.testing.assert_close(in_validation[1], stored['state_dict'][name])
    raw = runner.model.denoiser.conv_in.weight
    torch.testing.assert_close(raw, stored['raw_state_dict'][name])
    pictures = [
        os.path.join(folder, file)
        for folder, _, files in os.walk(runner.work_dir)
        for file in files
        if file.endswith('.png')
    ]
    assert len(pictures) == 1
    # Two rows of two images of 8 pixels, with gaps of 2.
    assert cv2.imread(pictures[0]).shape == (22, 22, 3)


def test_a_resumed_training_continues_picture_and_curves(
    build_runner, training_config, requests
):
    """The picture is that of a training without interruption."""
    training_config.update(
        val_dataloader=requests, val_evaluator=[], val_cfg=dict()
    )
    backends = [
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend'),
    ]
    options = dict(
        train_cfg__val_interval=2,
        default_hooks__progress=dict(type='ProgressStripHook'),
        visualizer__vis_backends=backends,
    )
    runner = build_runner(**options)
    runner.train()
    path = os.path.join(runner.work_dir, 'progress.png')
    whole = cv2.imread(path)
    again = build_runner(
        **options, resume=True, load_from=f'{runner.work_dir}/iter_4.pth'
    )
    again.train()
    assert np.array_equal(cv2.imread(path), whole)
    # A tile of 64 pixels for the classes, and for iterations 2, 4 and 6.
    assert whole.shape == (20 + 4 * 66 + 2, 4 * 66 + 2, 3)
    if importlib.util.find_spec('tensorboard'):
        assert os.listdir(os.path.join(runner.work_dir, 'tensorboard'))


def test_a_test_writes_every_image(
    build_runner, training_config, requests, tmp_path
):
    training_config.update(
        test_dataloader=requests, test_evaluator=[], test_cfg=dict()
    )
    build_runner(train_cfg__max_iters=2).train()
    work = training_config.work_dir
    show = str(tmp_path / 'show')
    runner = build_runner(
        load_from=work,
        default_hooks__visualization=dict(type='ImageGridHook', show_dir=show),
    )
    runner.test()
    assert sorted(os.listdir(show)) == ['grid.png', 'images']
    images = os.path.join(show, 'images')
    assert sorted(os.listdir(images)) == [f'00000{i}.png' for i in range(4)]
    grid = cv2.imread(os.path.join(show, 'grid.png'))
    second = cv2.imread(os.path.join(images, '000001.png'))
    assert np.array_equal(grid[12:20, 2:10], second)  # class 1, second row


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path):
    from mmldm.visualization import write_image

    (tmp_path / 'a.png').mkdir()
    with pytest.raises(OSError, match='a.png could not be written'):
        write_image(np.zeros((2, 2, 3), np.uint8), tmp_path / 'a.png')


def test_reconstructions_stand_below_their_originals(labelled):
    hook = ImageGridHook(num_images=2)

    class Runner:
        rank, world_size, model = 0, 1, None

    samples = []
    for i in range(2):
        sample = labelled(i)
        sample.set_metainfo(dict(sample_idx=i))
        sample.gt_img = torch.full((3, 4, 4), i + 1, dtype=torch.uint8)
        sample.pred_img = torch.full((3, 4, 4), i + 11, dtype=torch.uint8)
        samples.append(sample)
    hook._keep(Runner, samples, samples)
    grid = hook._grid(Runner)
    assert [grid[3, 3, 0], grid[3, 9, 0]] == [1, 2]
    assert [grid[7, 3, 0], grid[7, 9, 0]] == [11, 12]


def test_a_model_that_makes_no_images_has_no_pictures(labelled, tmp_path):
    """A classifier's data samples come without ``pred_img``."""
    hook = ImageGridHook(show_dir=str(tmp_path / 'show'))

    class Runner:
        rank, world_size, model = 0, 1, None
        val_dataloader = test_dataloader = SimpleNamespace(dataset=range(2))

    hook.after_test_iter(Runner, 0, outputs=[labelled(0), labelled(1)])
    hook.after_val_iter(Runner, 0, outputs=[labelled(0)])
    hook.after_test_epoch(Runner)
    assert not (tmp_path / 'show').exists()


def test_the_best_checkpoint_is_kept(build_runner, training_config, requests):
    """With the average and the weights in training each in its place."""
    training_config.update(
        val_dataloader=requests,
        val_evaluator=dict(
            type='ClassifierAccuracy',
            train_dataset=dict(
                type='DigitsDataset',
                split='test',
                size=8,
                pipeline=[dict(type='PackInputs')],
            ),
            test_dataset=dict(
                type='DigitsDataset',
                split='test',
                size=8,
                pipeline=[dict(type='PackInputs')],
            ),
        ),
        val_cfg=dict(),
    )
    runner = build_runner(
        train_cfg__val_interval=4,
        train_cfg__max_iters=4,
        default_hooks__checkpoint__save_best='class_accuracy',
        default_hooks__checkpoint__rule='greater',
    )
    runner.train()
    best = read_checkpoint(
        os.path.join(runner.work_dir, 'best_class_accuracy_iter_4.pth')
    )
    last = checkpoint(runner, 4)
    for kind in ('state_dict', 'raw_state_dict'):
        for name, weight in last[kind].items():
            assert weight.equal(best[kind][name]), (kind, name)
    name = 'denoiser.conv_in.weight'
    assert last['raw_state_dict'][name].equal(
        runner.model.state_dict()[name].cpu()
    )


def test_what_a_killed_run_was_writing_is_removed(build_runner):
    runner = build_runner(train_cfg__max_iters=2)
    stale = os.path.join(runner.work_dir, 'iter_2.pth.123.tmp')
    open(stale, 'w').close()
    runner.train()
    assert not os.path.exists(stale)


def test_a_best_checkpoint_between_two_steps_is_refused(build_runner):
    runner = build_runner(
        optim_wrapper__accumulative_counts=2,
        train_cfg__val_interval=3,
        default_hooks__checkpoint__save_best='x',
        default_hooks__checkpoint__rule='less',
    )
    with pytest.raises(ValueError, match='train_cfg.val_interval=3 is not'):
        runner.train()
