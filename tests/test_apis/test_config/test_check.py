import copy
import functools
import sys
from pathlib import Path

import pytest
from mmagic.registry import MODELS as MMAGIC_MODELS
from mmengine.config import Config

from mmldm.apis import load_config, tool_parser
from mmldm.apis.config import check_complete, check_config
from mmldm.registry import MODELS

CONFIGS = Path(__file__).parents[3] / 'configs'
LDM = CONFIGS / 'ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'


@functools.cache
def written():
    """The config of digits, read once."""
    return Config.fromfile(LDM)


def merged(options):
    """The config of digits as ``--cfg-options`` change it."""
    cfg = copy.deepcopy(written())
    cfg.merge_from_dict(options)
    return cfg


def check_options(options):
    """Check the config of digits with options."""
    check_config(merged(options), options)


@pytest.fixture
def check_file(tmp_path):
    """Checks a child of the config of digits, given its text."""

    def check(text):
        path = tmp_path / 'child.py'
        path.write_text(f"_base_ = ['{LDM}']\n{text}\n")
        check_config(Config.fromfile(path), {})

    return check


@pytest.mark.parametrize(
    'path', sorted(CONFIGS.rglob('*.py')), ids=lambda path: path.stem
)
def test_every_config_of_ours_passes(path):
    check_config(Config.fromfile(path), {})


@pytest.mark.parametrize(
    'path', sorted(CONFIGS.glob('[!_]*/*.py')), ids=lambda path: path.stem
)
def test_every_config_of_ours_is_complete(path):
    """What whoever builds a part fills in is not missed."""
    check_complete(load_config(tool_parser(None).parse_args([str(path)])))


MISSPELT = [
    ('model.denoiser.chanels', 'model.denoiser', 'channels'),
    ('model.guidance.scal', 'model.guidance', 'scale'),
    (
        'model.conditioner.embedders.0.num_clases',
        'model.conditioner.embedders.0',
        'num_classes',
    ),
    ('train_dataloader.batch_sise', 'train_dataloader', 'batch_size'),
    ('train_dataloader.sampler.shufle', 'train_dataloader.sampler', 'shuffle'),
    ('train_dataloader.dataset.splitt', 'train_dataloader.dataset', 'split'),
    (
        'val_dataloader.dataset.num_sample',
        'val_dataloader.dataset',
        'num_samples',
    ),
    ('test_dataloader.num_worker', 'test_dataloader', 'num_workers'),
    (
        'test_evaluator.train_dataset.siz',
        'test_evaluator.train_dataset',
        'size',
    ),
    ('optim_wrapper.clip_gard', 'optim_wrapper', 'clip_grad'),
    ('optim_wrapper.optimizer.lrr', 'optim_wrapper.optimizer', 'lr'),
    ('param_scheduler.0.strat_factor', 'param_scheduler.0', 'start_factor'),
    ('default_hooks.logger.intervall', 'default_hooks.logger', 'interval'),
    ('default_hooks.ema.deacy', 'default_hooks.ema', 'decay'),
    ('train_cfg.max_iter', 'train_cfg', 'max_iters'),
    ('visualizer.vis_backend', 'visualizer', 'vis_backends'),
    ('randomness.sed', 'randomness', 'seed'),
    ('env_cfg.cudnn_benchmak', 'env_cfg', 'cudnn_benchmark'),
    ('auto_scale_lr.base_batchsize', 'auto_scale_lr', 'base_batch_size'),
]


@pytest.mark.parametrize(
    'key, owner, near', MISSPELT, ids=[key for key, *_ in MISSPELT]
)
def test_a_misspelt_key_is_refused_where_it_stands(key, owner, near):
    """From the command line and, where no options are known, from a file."""
    for options in ({key: 3}, {}):
        with pytest.raises(ValueError) as error:
            check_config(merged({key: 3}), options)
        message = str(error.value)
        assert message.startswith(owner)
        assert f"no argument '{key.split('.')[-1]}'" in message
        assert f"did you mean '{near}'" in message


def test_a_misspelt_key_in_a_file_is_refused(check_file):
    with pytest.raises(
        ValueError,
        match='optim_wrapper.optimizer .AdamW. has '
        "no argument 'lrr'; did you mean 'lr'",
    ):
        check_file('optim_wrapper = dict(optimizer=dict(lrr=1e-4))')


MISSPELT_ON_TOP = [
    ('trian_cfg', 'train_cfg'),
    ('test_dataloder', 'test_dataloader'),
    ('custom_hook', 'custom_hooks'),
    ('load_form', 'load_from'),
    ('workdir', 'work_dir'),
    ('randomnes', 'randomness'),
    ('modle', 'model'),
    ('resmue', 'resume'),
]


@pytest.mark.parametrize('key, near', MISSPELT_ON_TOP)
def test_a_misspelt_key_on_top_of_a_file_is_refused(check_file, key, near):
    with pytest.raises(
        ValueError,
        match=f"config key '{key}' is not known; did you mean '{near}'",
    ):
        check_file(f'{key} = dict()')


@pytest.mark.parametrize('key, near', MISSPELT_ON_TOP)
@pytest.mark.parametrize('below', ['', '.x.y'])
def test_a_misspelt_key_on_top_of_the_command_line_is_refused(
    key, near, below
):
    with pytest.raises(ValueError, match=f"{key}.*; did you mean '{near}'"):
        check_options({key + below: 3})


def test_an_option_that_nothing_reads_is_refused():
    """Variables of a file were read before the option arrived."""
    with pytest.raises(ValueError, match='--cfg-options image_size'):
        check_options({'image_size': 64})


def test_a_file_may_define_variables(check_file):
    check_file('lr = 1e-4\nmy_classes = 10\ntest_set = dict(split="all")')


@pytest.mark.parametrize(
    'key, cls',
    [
        ('model.diffusion_scheduler.loss_weighting.gamma', 'UniformWeighting'),
        ('model.diffusion_scheduler.solver.eta', 'IPNDM'),
        ('train_dataloader.dataset.pipeline.0.keys', 'PackInputs'),
        ('default_hooks.seed.interval', 'AddressedSeedHook'),
    ],
)
def test_a_class_without_arguments_takes_none(key, cls):
    with pytest.raises(ValueError, match=f'{cls}. has no argument'):
        check_options({key: 3})


@pytest.mark.parametrize(
    'key, value',
    [('max_keep_ckpt', 1), ('intervall', 100), ('file_client_args', {})],
)
def test_a_key_that_the_checkpoint_hook_does_not_read_is_refused(key, value):
    with pytest.raises(ValueError, match=f"no argument '{key}'"):
        check_options({f'default_hooks.checkpoint.{key}': value})


@pytest.mark.parametrize(
    'key, named',
    [
        ('val_cfg.interval', 'interval'),
        ('test_cfg.fp61', 'fp16'),
        ('log_processor.windowsize', 'window_size'),
        ('env_cfg.mp_cfg.mp_start_metod', 'mp_start_method'),
        ('default_hooks.loger.interval', 'logger'),
        ('model.data_preprocessor.pad', 'pad'),
    ],
)
def test_a_misspelt_key_is_refused_where_the_type_is_implied(key, named):
    with pytest.raises(ValueError, match=f"'{named}'"):
        check_options({key: 3})


@pytest.mark.parametrize(
    'options',
    [
        {'log_processor.type': 'LogProcessor'},
        {'val_cfg': dict(type='mmagic.MultiValLoop', fp16=True)},
    ],
    ids=lambda options: next(iter(options)),
)
def test_where_a_type_is_given_its_arguments_count(options):
    check_options(options)


@pytest.mark.parametrize(
    'options',
    [
        {'optim_wrapper.paramwise_cfg': dict(norm_decay_mult=0.0)},
        {'optim_wrapper.constructor': 'DefaultOptimWrapperConstructor'},
        {'default_hooks.ema.priority': 49},
        {'default_hooks.timer.priority': 'LOW'},
        {'param_scheduler.0.convert_to_iter_based': True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_a_key_that_mmengine_itself_reads_passes(options):
    check_options(options)


def test_what_mmengine_takes_out_stands_in_one_place():
    with pytest.raises(ValueError, match="no argument 'paramwise_cfg'"):
        check_options({'optim_wrapper.optimizer.paramwise_cfg': {}})


TWO_OPTIMIZERS = dict(
    _delete_=True,
    constructor='mmagic.MultiOptimWrapperConstructor',
    autoencoder=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=1e-4),
        paramwise_cfg=dict(norm_decay_mult=0.0),
        clip_grad=dict(type='value', clip_value=1.0),
    ),
    adversarial=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=1e-4),
        clip_grad=dict(max_norm=1.0),
    ),
)


def test_each_of_two_optimizers_is_checked():
    for part in ('autoencoder', 'adversarial'):
        options = copy.deepcopy(TWO_OPTIMIZERS)
        options[part]['clip_grad']['max_nrom'] = 1.0
        with pytest.raises(
            ValueError, match=f'{part}.clip_grad has no argument .max_nrom'
        ):
            check_options({'optim_wrapper': options})


@pytest.mark.parametrize(
    'options',
    [
        {'optim_wrapper.clip_grad': dict(max_norm=1.0)},
        {'optim_wrapper.clip_grad': dict(type='value', clip_value=1.0)},
        {'optim_wrapper.accumulative_counts': 4},
        {'optim_wrapper': TWO_OPTIMIZERS},
        {'optim_wrapper.optimizer.weight_decay': 0},
        {'train_dataloader.drop_last': True},
        {'train_dataloader.dataset.indices': 100},
        {'train_dataloader.sampler.seed': 3},
        {'default_hooks.visualization.num_images': 4},
        {'model.guidance.scale': 3},
        {'compile': True, 'find_unused_parameters': True},
        {'efficient_conv_bn_eval': ['denoiser'], 'sync_bn': 'torch'},
        {'val_dataloader': None, 'val_cfg': None, 'val_evaluator': None},
    ],
    ids=lambda options: next(iter(options)),
)
def test_a_known_key_passes(options):
    check_options(options)


@pytest.mark.parametrize(
    'key, value, wanted',
    [
        ('model.denoiser.channels', 'abc', 'int'),
        ('model.denoiser.channels', 64.5, 'int'),
        ('model.denoiser.channels', None, 'int'),
        ('model.guidance.scale', 'abc', 'int or float'),
        ('train_dataloader.dataset.split', 3, 'str'),
        ('train_dataloader.sampler.shuffle', 'no', 'bool'),
        ('model.denoiser.channel_mults', 3, 'list or tuple'),
        ('optim_wrapper.optimizer.lr', 'abc', 'int or float'),
    ],
)
def test_a_value_of_another_type_is_refused(key, value, wanted):
    with pytest.raises(ValueError, match=f'{key}={value!r} must be {wanted}'):
        check_options({key: value})


@pytest.fixture
def user_module(tmp_path, monkeypatch):
    """The name of a module of a user, which registers a class."""
    (tmp_path / 'their_parts.py').write_text(
        'from torch import nn\n'
        'from mmldm.registry import MODELS\n'
        '@MODELS.register_module()\n'
        'class TheirDenoiser(nn.Module):\n'
        '    def __init__(self, width: int, **kwargs):\n'
        '        super().__init__()\n'
        '@MODELS.register_module()\n'
        'class TheirDeeperDenoiser(TheirDenoiser):\n'
        '    def __init__(self, depth: int):\n'
        '        super().__init__(3)\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield 'their_parts'
    sys.modules.pop('their_parts', None)
    for name in ('TheirDenoiser', 'TheirDeeperDenoiser'):
        MODELS.module_dict.pop(name, None)


THEIRS = """
custom_imports = dict(imports=['{module}'], allow_failed_imports=False)
model = dict(denoiser=dict(_delete_=True, type='TheirDeeperDenoiser', {key}))
"""


def test_a_class_of_a_user_passes(check_file, user_module):
    check_file(THEIRS.format(module=user_module, key='depth=3'))


@pytest.mark.parametrize(
    'key, message',
    [
        ('dpeth=3', "no argument 'dpeth'; did you mean 'depth'"),
        ('width=3', "no argument 'width'"),
        ('depth="abc"', 'must be int'),
    ],
)
def test_a_class_of_a_user_is_checked(check_file, user_module, key, message):
    with pytest.raises(ValueError, match=message):
        check_file(THEIRS.format(module=user_module, key=key))


def test_a_class_of_a_user_may_take_any_argument(check_file, user_module):
    check_file(
        THEIRS.format(module=user_module, key='anything=3').replace(
            'TheirDeeper', 'Their'
        )
    )


def test_a_module_of_a_user_may_come_from_the_command_line(user_module):
    """Config imports what its file names, and no more."""
    with pytest.raises(ValueError, match="width='abc' must be int"):
        check_options(
            {
                'custom_imports.imports': user_module,
                'model.denoiser.type': 'TheirDenoiser',
                'model.denoiser.width': 'abc',
            }
        )


@pytest.fixture
def namesake():
    """A class of mmagic with a name of ours."""

    class DenoisingUNet:
        def __init__(self, base_channels: int) -> None:
            """As mmagic's own has it."""

    before = MMAGIC_MODELS.module_dict.get('DenoisingUNet')
    MMAGIC_MODELS.register_module(
        name='DenoisingUNet', module=DenoisingUNet, force=True
    )
    yield
    MMAGIC_MODELS.module_dict.pop('DenoisingUNet')
    if before is not None:
        MMAGIC_MODELS.module_dict['DenoisingUNet'] = before


def test_the_scope_tells_namesakes_apart(namesake):
    """mmagic has a DenoisingUNet, a Crop and a PackInputs of its own."""
    check_config(
        Config(dict(model=dict(type='mmagic.DenoisingUNet', base_channels=3))),
        {},
    )
