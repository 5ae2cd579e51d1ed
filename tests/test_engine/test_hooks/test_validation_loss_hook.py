from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from mmldm.engine.hooks.validation_loss_hook import _held_out
from mmldm.models.editors import fixed_errors

HELD_OUT = dict(
    type='DigitsDataset',
    split='test',
    size=8,
    pipeline=[dict(type='PackInputs')],
)
RANGES = ('0.00-0.50', '0.50-1.00')


@pytest.fixture
def trainer(build_runner):
    """Builds a runner that validates after every second iteration."""

    def build(**overrides):
        requests = dict(
            type='GenerationRequests',
            num_samples=2,
            size=8,
            num_classes=10,
            pipeline=[dict(type='PackInputs')],
        )
        options = dict(
            val_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=requests,
            ),
            val_cfg=dict(),
            val_evaluator=[],
            train_cfg__val_interval=2,
            default_hooks__validation_loss=dict(
                type='ValidationLossHook',
                dataset=HELD_OUT,
                num_images=6,
                num_ranges=2,
                batch_size=4,
            ),
        )
        return build_runner(**{**options, **overrides})

    return build


def values(runner, name):
    return runner.message_hub.get_scalar(f'val/{name}').data[0].tolist()


def test_the_loss_is_the_mean_of_fixed_errors_by_range(trainer):
    runner = trainer(train_cfg__max_iters=2)
    runner.train()
    hook = next(
        h for h in runner.hooks if type(h).__name__ == 'ValidationLossHook'
    )
    parts = [values(runner, f'loss_{name}')[-1] for name in RANGES]
    assert values(runner, 'loss')[-1] == pytest.approx(sum(parts) / 2)
    assert set(hook.sets) == {'loss', 'loss_train'}
    assert values(runner, 'loss_train')[-1] > 0


def test_it_is_the_same_for_any_batch(trainer):
    """Six images in batches of 4 or 6, and the same again."""
    first = trainer(train_cfg__max_iters=2)
    first.train()
    other = trainer(
        train_cfg__max_iters=2, default_hooks__validation_loss__batch_size=6
    )
    other.train()
    assert values(other, 'loss') == pytest.approx(values(first, 'loss'))


def test_the_average_is_judged(trainer):
    """Its decay of 0 leaves the trained weights, one near 1 the first."""
    losses = []
    for decay in (0.0, 0.99999):
        runner = trainer(
            train_cfg__max_iters=2, default_hooks__ema__decay=decay
        )
        runner.train()
        losses.append(values(runner, 'loss')[-1])
    assert losses[0] != losses[1]


def test_fixed_errors_do_not_change_from_call_to_call(trainer):
    runner = trainer()
    runner.train()
    dataset = runner.train_dataloader.dataset
    drawn = runner.train_dataloader.sampler.spread(3)
    model = runner.bare_model.eval()
    batch = model.data_preprocessor(
        pseudo_collate([dataset[d] for d in drawn])
    )
    times = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    once = fixed_errors(model, **batch, fraction=times)
    assert once.shape == (3,)
    assert torch.equal(fixed_errors(model, **batch, fraction=times), once)
    later = fixed_errors(model, **batch, fraction=times.flip(0))
    assert not torch.equal(later, once)


def test_the_best_checkpoint_can_be_kept_by_it(trainer, tmp_path):
    runner = trainer(
        default_hooks__checkpoint__save_best='loss',
        default_hooks__checkpoint__rule='less',
    )
    runner.train()
    assert [*(tmp_path / 'work').glob('best_loss_iter_*.pth')]


@pytest.mark.parametrize(
    'overrides, message',
    [
        (
            dict(val_dataloader=None, val_cfg=None, val_evaluator=None),
            'needs validation: set val_dataloader',
        ),
        (
            dict(default_hooks__validation_loss__num_images=0),
            'num_images=0 must be a whole number',
        ),
    ],
)
def test_what_cannot_be_is_refused(trainer, overrides, message):
    with pytest.raises(ValueError, match=message):
        trainer(**overrides).train()


def test_without_a_dataset_the_other_images_are_held_out(trainer, tmp_path):
    """Of the digits, whose splits have other names: refused by the data."""
    with pytest.raises(ValueError, match="split='val'"):
        trainer(default_hooks__validation_loss__dataset=None).train()


def test_images_that_are_trained_on_are_not_held_out():
    """ImageNet's configs train on all images, a folder's by default."""
    training = SimpleNamespace(split='all')
    with pytest.raises(ValueError, match="split='all' trains .*to 'train'"):
        _held_out(None, training)
    # Cached latents have no split; the config of their images has.
    cfg = Config(dict(train_dataloader=dict(dataset=dict(split='all'))))
    with pytest.raises(ValueError, match="split='all' trains .*to 'train'"):
        _held_out(SimpleNamespace(cfg=cfg), SimpleNamespace())
