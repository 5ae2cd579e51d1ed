"""What mmengine and other packages allow is accepted."""

import copy
import functools
import sys

import pytest
from mmengine.config import Config

from mmldm.apis.config import check_config, parse_option
from mmldm.engine import AtomicCheckpointHook
from mmldm.registry import HOOKS

from .conftest import ROOT

LDM = ROOT / 'configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'


@functools.cache
def written():
    """The config of digits, read once."""
    return Config.fromfile(LDM)


def check(options):
    """Check the config of digits with options."""
    cfg = copy.deepcopy(written())
    cfg.merge_from_dict(options)
    check_config(cfg, options)


@pytest.mark.parametrize(
    'options',
    [
        {
            'custom_hooks': [
                dict(
                    type='ProfilerHook',
                    on_trace_ready=dict(type='tb_trace'),
                    schedule=dict(wait=1, warmup=1, active=1),
                )
            ]
        },
        {
            'visualizer.vis_backends': [
                dict(
                    type='WandbVisBackend',
                    init_kwargs=dict(config=dict(type='AdamW', other=3)),
                )
            ]
        },
        {
            'custom_hooks': [
                dict(
                    type='mmagic.VisualizationHook',
                    interval=5,
                    vis_kwargs_list=[dict(type='GAN', name='fake_img')],
                )
            ]
        },
        {'visualizer.vis_backends.1.type': 'AimVisBackend'},
        {'default_hooks.checkpoint.save_best': ['a', 'b']},
        {'default_hooks.checkpoint.rule': ['greater', 'less']},
        {'default_hooks.checkpoint.save_last': False},
        {'default_hooks.checkpoint.save_optimizer': False},
        {'default_hooks.checkpoint.by_epoch': False},
        {'default_hooks.checkpoint.published_keys': ['state_dict']},
        {'compile': dict(backend='eager', dynamic=None)},
        {
            'optim_wrapper.paramwise_cfg': dict(
                custom_keys={'norm': dict(lr_mult=0.1, weight_decay=0)}
            )
        },
        {'optim_wrapper.clip_grad': dict(max_norm=1, norm_type=2)},
        {'train_dataloader.num_workers': 8, 'log_level': 'DEBUG'},
    ],
    ids=lambda options: next(iter(options)),
)
def test_a_legal_config_passes(options):
    check(options)


def test_any_name_of_an_optimizer_may_clip_gradients():
    part = dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=1e-4),
        clip_grad=dict(type='value', clip_value=1.0),
    )
    check(
        {
            'optim_wrapper': {
                '_delete_': True,
                'constructor': 'mmagic.MultiOptimWrapperConstructor',
                'generator.deep': part,
            }
        }
    )


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A package with registries of its own, children of ours."""
    (tmp_path / 'theirproject').mkdir()
    (tmp_path / 'theirproject/__init__.py').touch()
    (tmp_path / 'theirproject/registry.py').write_text(
        'from mmengine.registry import Registry\n'
        'from mmldm.registry import HOOKS\n'
        "OWN = Registry('hook', parent=HOOKS, scope='theirproject',\n"
        "               locations=['theirproject.parts'])\n"
    )
    (tmp_path / 'theirproject/parts.py').write_text(
        'from mmengine.hooks import Hook\n'
        'from .registry import OWN\n'
        '@OWN.register_module()\n'
        'class ModuleEMAHook(Hook):\n'
        '    def __init__(self, theirs: int) -> None:\n'
        '        """With the name of one of ours."""\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield 'theirproject'
    for name in [n for n in sys.modules if n.startswith('theirproject')]:
        del sys.modules[name]
    HOOKS.children.pop('theirproject', None)


def test_a_project_with_a_scope_of_its_own_is_looked_up_there(project):
    # What the config itself has is of our scope.
    options = {'default_scope': project, 'default_hooks.ema': None}
    own = [dict(type='ModuleEMAHook', theirs=3)]
    check(options | dict(custom_hooks=own))
    ours = [dict(type='mmldm.ModuleEMAHook', decay=0.9)]
    check(options | dict(custom_hooks=ours))
    for hooks, scope in ((own, 'mmldm'), (ours, project)):
        wrong = [dict(type=hooks[0]['type'], neither=3)]
        with pytest.raises(ValueError, match="no argument 'neither'"):
            check(options | dict(default_scope=scope, custom_hooks=wrong))


@pytest.mark.parametrize(
    'text, value',
    [
        ('3', 3),
        ('2e-4', 2e-4),
        ('true', True),
        ('None', None),
        ('a red circle', 'a red circle'),
        ("it's", "it's"),
        ("'quoted'", 'quoted'),
        ('', ''),
        ('1,2', [1, 2]),
        ('1,', [1]),
        ('[]', []),
        ('(1,2)', (1, 2)),
        ('[a, "b, c", (1,2)]', ['a', 'b, c', (1, 2)]),
        ('[[1,2],[3]]', [[1, 2], [3]]),
        ("[{'type': 'A'}]", [dict(type='A')]),
    ],
)
def test_values_of_options_keep_their_types(text, value):
    assert parse_option(f'a.0.b={text}') == ('a.0.b', value)


def test_the_arguments_of_the_checkpoint_hook_arrive():
    hook = AtomicCheckpointHook(
        3,
        save_best=('a', 'b'),
        rule=('greater', 'less'),
        save_last=False,
        save_begin=2,
        save_optimizer=False,
        save_param_scheduler=False,
        published_keys='state_dict',
    )
    assert hook.save_best == ['a', 'b']
    assert hook.rules == ['greater', 'less']
    assert (hook.save_last, hook.save_begin) == (False, 2)
    assert not (hook.save_optimizer or hook.save_param_scheduler)
    assert hook.published_keys == ['state_dict']


def test_a_metric_that_validation_does_not_give_is_named():
    hook = AtomicCheckpointHook(3, save_best='fid', rule='less')
    with pytest.raises(ValueError, match="save_best='fid' .*Valid names: psn"):
        hook.after_val_epoch(None, dict(psnr=1.0))
