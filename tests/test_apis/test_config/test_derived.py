"""Numbers of a run that follow from its training data."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmldm.apis import load_config, tool_parser
from mmldm.apis.config import read_config
from mmldm.apis.config.derived import fill_base_batch_size, say_image_size

DIGITS = (
    Path(__file__).parents[3]
    / 'configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
)


def load(*options):
    flags = ['--cfg-options', *options] if options else []
    return load_config(tool_parser(None).parse_args([str(DIGITS), *flags]))


def test_the_learning_rate_is_meant_for_the_batch_of_the_file():
    """Not for the one of an option."""
    cfg = load('train_dataloader.global_batch_size=8')
    assert cfg.train_dataloader.global_batch_size == 8
    assert cfg.auto_scale_lr.base_batch_size == 64


@pytest.mark.parametrize(
    ('lines', 'expected'),
    [
        ('', 64),
        ('optim_wrapper = dict(optimizer=dict(lr=0.1))', 4),
        ('auto_scale_lr = dict(base_batch_size=9)', 9),
    ],
)
def test_a_child_with_another_batch_keeps_the_base_of_its_rate(
    tmp_path, lines, expected
):
    """A rate of its own is meant for its own batch."""
    child = tmp_path / 'child.py'
    child.write_text(
        f'_base_ = {str(DIGITS)!r}\n{lines}\n'
        'train_dataloader = dict(global_batch_size=4)\n'
    )
    cfg = read_config(child)
    fill_base_batch_size(cfg)
    assert cfg.auto_scale_lr.base_batch_size == expected


def test_a_rate_that_a_file_sets_again_is_meant_for_its_batch(tmp_path):
    """Its parent has another rate, and its grandparent the same."""
    chain = {'a': (1e-4, 16), 'b': (4e-4, 64), 'c': (1e-4, 256)}
    above = '[]'
    for name, (rate, batch) in chain.items():
        path = tmp_path / f'{name}.py'
        path.write_text(
            f'_base_ = {above}\n'
            f'optim_wrapper = dict(optimizer=dict(lr={rate}))\n'
            f'train_dataloader = dict(global_batch_size={batch})\n'
        )
        above = repr(path.name)
    cfg = read_config(path)
    fill_base_batch_size(cfg)
    assert cfg.auto_scale_lr.base_batch_size == 256


@pytest.mark.parametrize(
    ('config', 'expected'),
    [
        (dict(auto_scale_lr=dict(enable=True)), 4),
        (dict(auto_scale_lr=dict(base_batch_size=2)), 2),
        (dict(train_dataloader=dict(batch_size=4)), None),
        (dict(train_dataloader=None), None),
    ],
)
def test_a_batch_that_is_stated_stays(config, expected):
    loader = dict(global_batch_size=4)
    cfg = Config(dict(dict(train_dataloader=loader), **config))
    fill_base_batch_size(cfg)
    assert cfg.get('auto_scale_lr', {}).get('base_batch_size') == expected


@pytest.mark.parametrize(
    ('stated', 'expected'), [([], 48), (['=None'], 48), (['=16'], 16)]
)
def test_what_is_drawn_is_as_large_as_in_training(stated, expected):
    size = 'test_dataloader.dataset.size'
    options = [size + value for value in stated]
    cfg = load('train_dataloader.dataset.size=48', *options)
    assert cfg.test_dataloader.dataset.size == expected
    assert 'data_root' not in cfg.test_dataloader.dataset  # reads no files


@pytest.mark.parametrize(
    ('stated', 'expected'), [({}, 32), (dict(image_size=8), 8)]
)
def test_a_model_draws_as_it_was_trained(stated, expected):
    model = dict(type='LatentDiffusion', **stated)
    dataset = dict(size=32)
    config = dict(model=model, train_dataloader=dict(dataset=dataset))
    say_image_size(config)
    assert config['model']['image_size'] == expected


def test_the_data_sets_of_metrics_are_in_the_folder_of_the_training(tmp_path):
    """Those that name another one keep it."""
    child = tmp_path / 'child.py'
    child.write_text(
        f"""
_base_ = {str(DIGITS)!r}
kind = dict(type='IdxImages', images='a', pipeline=[])
images = dict(_delete_=True, **kind)
train_dataloader = dict(dataset=dict(data_root='own', **images))
test_evaluator = dict(
    train_dataset=dict(data_root=None, **images),
    test_dataset=dict(data_root='other', **images))
val_evaluator = [
    dict(type='GeneratedImages', reference=dict(data_root=None, **kind))]
"""
    )
    cfg = load_config(tool_parser(None).parse_args([str(child)]))
    assert cfg.test_evaluator.train_dataset.data_root == 'own'
    assert cfg.test_evaluator.test_dataset.data_root == 'other'
    assert cfg.val_evaluator[0].reference.data_root == 'own'


BUCKETS = (
    "train_dataloader.dataset={'type': 'ImageFolder', '_delete_': True, "
    "'data_root': '.', 'size': 64, 'pipeline': [], "
    "'buckets': {'type': 'AspectBuckets', 'step': 8}}"
)


@pytest.mark.parametrize('own_size', [False, True])
def test_validation_has_the_sizes_of_training_unless_it_states_one(own_size):
    asked = 'val_dataloader.dataset.size=64'
    cfg = load(BUCKETS, *([asked] if own_size else []))
    dataset = cfg.val_dataloader.dataset
    assert dataset.size == 64
    assert ('buckets' in dataset) != own_size
