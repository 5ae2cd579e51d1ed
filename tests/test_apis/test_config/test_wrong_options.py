"""Values that make no sense: one line that names the key."""

import pytest

TRAIN, TEST = 'tools/train.py', 'tools/test.py'
# What is written after --cfg-options, and what the line must hold besides
# the key.
FIRST_STAGE = """
train_dataloader.global_batch_size=x | whole number
train_dataloader.global_batch_size=1.5 | whole number
train_dataloader.global_batch_size=0 | whole number
train_dataloader.global_batch_size=True | whole number
train_dataloader.global_batch_size=1000000000 | GB
train_dataloader.dataset.pipeline=[{}] | pipeline
val_dataloader.dataset.pipeline=3 | pipeline
train_dataloader.batch_size=3 | global_batch_size
train_dataloader.num_workers=1.5 | whole number
train_dataloader.num_workers=-1 | whole number
train_dataloader.num_workers=1000000 | whole number
train_dataloader.persistent_workers=True | num_workers > 0
train_dataloader.prefetch_factor=0 | whole number
train_dataloader.timeout=-3 | whole number
train_dataloader.pin_memory=3 | True or False
train_dataloader.drop_last=often | True or False
train_dataloader.multiprocessing_context=thread | fork
train_dataloader.collate_fn=3 | dict
train_dataloader.sampler=None | dict
train_dataloader.sampler.type=X | no registry
train_dataloader.sampler.type=DefaultSampler | AddressedSampler
train_dataloader.sampler.shuffle=3 | bool
train_dataloader.dataset=None | dict
train_dataloader.dataset=[] | dict
train_dataloader.dataset.size=8191 | GB
train_dataloader.dataset.size=1.5 | int
train_dataloader.dataset.size=None | int
train_dataloader.dataset.size=99999999999999999999 | 63
train_dataloader.dataset.pipeline=3 | list
train_dataloader.dataset.pipeline={'type':'PackInputs'} | list
train_dataloader.dataset.pipeline=[{'type':'X'}] | no registry
train_dataloader.dataset.pipeline=[{'type':'Resize'}] | scale
train_dataloader.dataset.indices=x | int
train_dataloader.dataset.type=COCO | no registry
train_dataloader.dataset.splt=train | split
train_cfg=4 | dict
train_cfg=None | train_dataloader
train_cfg.max_iters=0 | whole number
train_cfg.max_iters=-1 | whole number
train_cfg.max_iters=1e3 | whole number
train_cfg.max_iters=nan | whole number
train_cfg.max_iters=inf | whole number
train_cfg.max_iters=9223372036854775808 | whole number
train_cfg.val_interval=0 | whole number
train_cfg.val_interval=x | whole number
train_cfg.type=None | name of a registered
train_cfg.type=EpochBasedTrainLoop | max_epochs
val_cfg=None | val_dataloader
val_cfg.fp16=maybe | True or False
val_evaluator=3 | dict
val_evaluator=[3] | dict
val_evaluator=None | val_dataloader
val_dataloader=3 | dict
val_dataloader.batch_size=0 | whole number
val_dataloader.batch_size=1000000000 | GB
optim_wrapper=3 | dict
optim_wrapper=None | train_dataloader
optim_wrapper.type=AmpOptimWrapper | AutocastOptimWrapper
optim_wrapper.type=ApexOptimWrapper | AutocastOptimWrapper
optim_wrapper.type=Nothing | no registry
optim_wrapper.constructor=Nothing | no registry
optim_wrapper.optimizer=3 | dict
optim_wrapper.optimizer=None | dict
optim_wrapper.optimizer.type=Adm | Adam
optim_wrapper.optimizer.type=3 | name of a registered
optim_wrapper.optimizer.lr=nan | finite
optim_wrapper.optimizer.lr=inf | finite
optim_wrapper.optimizer.lr=fast | float
optim_wrapper.optimizer.lr=-1 | learning rate
optim_wrapper.optimizer.lr=None | float
optim_wrapper.optimizer.betas=3 | list
optim_wrapper.clip_grad=3 | dict
optim_wrapper.clip_grad.max_norm=0 | above 0
optim_wrapper.clip_grad.max_norm=nan | above 0
optim_wrapper.clip_grad={'maxnorm':1} | max_norm
optim_wrapper.accumulative_counts=0 | whole number
optim_wrapper.accumulative_counts=1.5 | whole number
optim_wrapper.paramwise_cfg=3 | dict
optim_wrapper.paramwise_cfg={'norm_decay':0} | norm_decay_mult
optim_wrapper.paramwise_cfg={'custom_keys':{'a':{'lr_mul':0}}} | lr_mult
optim_wrapper.paramwise_cfg={'custom_keys':{'a':3}} | dict
param_scheduler=3 | dict
param_scheduler=[3] | dict
param_scheduler=[{'type':'LinearLr'}] | LinearLR
param_scheduler=[{'type':'LinearLR','start_factor':'a'}] | float
param_scheduler.0.start_factor=nan | finite
auto_scale_lr=3 | dict
auto_scale_lr.base_batch_size=0 | whole number
auto_scale_lr.base_batch_size=x | whole number
auto_scale_lr.enable=3 | True or False
auto_scale_lr.enabled=True | enable
randomness=3 | dict
randomness.seed=1.5 | whole number
randomness.seed=-3 | whole number
randomness.seed=4294967296 | whole number
randomness.seed=x | whole number
randomness.deterministic=3 | True or False
randomness.diff_rank_seed=True | remove it
env_cfg=3 | dict
env_cfg.cudnn_benchmark=3 | True or False
env_cfg.mp_cfg=3 | dict
env_cfg.mp_cfg.mp_start_method=frk | fork
env_cfg.mp_cfg.opencv_num_threads=-1 | whole number
env_cfg.dist_cfg=3 | dict
env_cfg.dist_cfg.backend=3 | text
env_cfg.dist_cfg.timeout=0 | above 0
log_level=LOUD | WARNING
log_processor=3 | dict
log_processor.window_size=0 | whole number
log_processor.custom_cfg=3 | list
log_processor.by_epoch=3 | True or False
visualizer=3 | dict
visualizer.type=Visualizr | Visualizer
visualizer.vis_backends=3 | list
visualizer.vis_backends=[{'type':'LocalVisBacknd'}] | LocalVisBackend
visualizer.vis_backends=[{'type':'WandbVisBackend'}] | install
default_scope=mmlmd | mmldm
default_scope=3 | text
runner_type=X | no registry
runner_type=3 | name of a registered
launcher=ssh | slurm
load_from=3 | text
load_from=/nowhere.pth | exist
resume=perhaps | True or False
work_dir=/dev/null/x | folder
experiment_name=a/b | name
compile=3 | True or False
compile={'backnd':'a'} | backend
compile={'fullgraph':3} | True or False
compile={'backend':'nonsense'} | backend
activation_checkpointing=[autoencoder] | accumulative_counts
activation_checkpointing=3 | list
efficient_conv_bn_eval=[nothere] | nothere
sync_bn=torh | torch
find_unused_parameters=3 | True or False
model_wrapper_cfg=3 | dict
custom_imports=3 | dict
custom_imports.imports=3 | text
custom_imports.imports=[nothing.here] | PYTHONPATH
custom_imports={'import':'a'} | imports
default_hooks=3 | dict
default_hooks.timer=3 | dict
default_hooks.other={} | type
default_hooks.logger.interval=0 | greater than 0
default_hooks.logger.interval=x | int
default_hooks.logger.type=Nothing | no registry
default_hooks.checkpoint.interval=0 | whole number
default_hooks.checkpoint.interval=x | int
default_hooks.checkpoint.save_best=3 | str
default_hooks.checkpoint.rule=bigger | greater
default_hooks.checkpoint.by_epoch=True | iterations
default_hooks.checkpoint.out_dir=elsewhere | work_dir
default_hooks.checkpoint.filename_tmpl=a.pth | iter_*.pth
default_hooks.checkpoint.max_keep_ckpts=0 | whole number
default_hooks.checkpoint.save_begin=-1 | >= 0
default_hooks.checkpoint.save_last=3 | bool
custom_hooks=3 | list
custom_hooks=[3] | dict
custom_hooks=[{}] | dict
custom_hooks=[{'type':'Nothing'}] | no registry
custom_hooks=[{'type':'ModuleEMAHook','modules':3}] | list
custom_hooks=[{'type':'ModuleEMAHook','decay':3}] | [0, 1)
custom_hooks.0=3 | dict
param_scheduler.9.type=X | length
model=None | dict
model=3 | dict
model.type=3 | name of a registered
model.type=Adam | no argument
model.type=LatentDifusion | LatentDiffusion
model.init_cfg={'type':'Pretrained'} | load_from
model.data_preprocessor=3 | dict
model.data_preprocessor.mean=3 | non_blocking
model.regularization_weight=x | float
model.regularization_weight=nan | finite
model.regularization_weight=-1 | >= 0
model.perceptual=3 | dict
model.perceptual={'type':'LPIP'} | LPIPS
model.autoencoder=3 | dict
model.autoencoder={'_delete_':True,'type':'AutoencoderKL'} | latent_channels
model.autoencoder.type=AutoencoderXX | AutoencoderKL
model.autoencoder.type=os.system | no registry
model.autoencoder.channels=0 | [1,
model.autoencoder.channels=-3 | [1,
model.autoencoder.channels=True | int
model.autoencoder.channels=100000 | memory
model.autoencoder.channels=9999999999 | [1,
model.autoencoder.channels.x=3 | dict
model.autoencoder.num_res_blocks=1000000 | GB
model.autoencoder.latent_channels=0 | [1,
model.autoencoder.channel_mults=3 | list
model.autoencoder.channel_mults=[1,a] | int
model.autoencoder.channel_mults=[1,1.5] | int
"""
LDM = """
test_dataloader=None | inherit
test_dataloader.dataset=None | dict
test_dataloader.dataset.num_samples=0 | whole number
test_dataloader.dataset.num_samples=1000000000000 | 10000000
test_dataloader.dataset.num_classes=0 | [1,
test_dataloader.dataset.size=[8,8,8] | height
test_dataloader.batch_size=1000000000 | GB
test_evaluator=3 | dict
test_cfg=None | test_dataloader
model.guidance=None | dict
model.guidance.scale=-1 | >= 0
model.guidance.scale=nan | finite
model.windows=3 | dict
default_hooks.visualization.num_images=-3 | >= 0
model.image_size=0 | [1,
model.image_size=x | int
model.image_size=[8,8,8] | height
model.image_size=[8,0] | whole number
model.conditioner=None | dict
model.conditioner.embedders=3 | list
model.conditioner.embedders=[{'type':'PrecomputedFeatures'}] | embed_dim
model.conditioner.embedders.0.num_classes=0 | [1,
model.conditioner.embedders.5.num_classes=3 | length
model.conditioner.drop_prob=2 | [0, 1]
model.diffusion_scheduler.num_steps=0 | [1,
model.diffusion_scheduler.num_steps=100000 | [1, 1000]
model.diffusion_scheduler.solver=None | dict
model.diffusion_scheduler.solver={'_delete_':True,'type':'X'} | no registry
model.diffusion_scheduler.noise_schedule.num_timesteps=0 | [1,
model.diffusion_scheduler.noise_schedule.num_timesteps=1000000000 | [1,
model.autoencoder_checkpoint=3 | str
model.autoencoder_checkpoint=/nothere | exist
model.denoiser=3 | dict
model.denoiser.res_block=3 | dict
model.denoiser.res_block.dropoutt=0 | dropout
model.denoiser.context_dim=-1 | [1,
"""


def cases(text):
    """(option, what is said besides the key) of each line."""
    lines = [line.split(' | ') for line in text.strip().splitlines()]
    return [pytest.param(*line, id=line[0]) for line in lines]


def check(line, option, told):
    """The line says what is wrong, and where."""
    key = option.partition('=')[0]
    steps = [step for step in key.split('.') if not step.isdigit()]
    assert any(step in line for step in steps)
    assert told in line


@pytest.mark.parametrize('option, told', cases(FIRST_STAGE))
def test_a_wrong_option_of_a_training_is_named(verdict, files, option, told):
    config = files / 'first_stage.py'
    check(verdict(TRAIN, config, '--cfg-options', option), option, told)


@pytest.mark.parametrize('option, told', cases(LDM))
def test_a_wrong_option_of_a_test_is_named(verdict, files, option, told):
    argv = files / 'ldm.py', files / 'ldm.pth', '--cfg-options', option
    check(verdict(TEST, *argv), option, told)


@pytest.mark.parametrize(
    'options, told',
    [
        (['model.type=[3'], 'the bracket ] is missing'),
        (['model.type=3]'], 'the bracket ] is not opened'),
        (['model.type=[(3])'], 'is not opened'),
        (['model.type={3'], 'write dicts'),
        (["model.type='3"], "the quote ' is not closed"),
        (['model.type="3'], 'the quote " is not closed'),
        (['model.type=3"'], 'the quote " is not opened'),
        (['model.type=[1,,2]'], 'an item before a comma is missing'),
        (['model.type=' + '[' * 3000], 'is missing'),
        (['model.type'], 'expected KEY=VALUE'),
        (['=3'], 'is not a dotted key'),
        (['a..b=3'], 'is not a dotted key'),
        (['.a=3'], 'is not a dotted key'),
        (['model.type=a', 'model.type=b'], 'model.type is given twice'),
        (['model.type=a', 'model=3'], 'one replaces the other'),
        (['image_size=3'], 'the key is unknown'),
    ],
    ids=lambda value: value[0][:20] if isinstance(value, list) else '',
)
def test_options_that_are_none_are_refused(verdict, files, options, told):
    config = files / 'first_stage.py'
    assert told in verdict(TRAIN, config, '--cfg-options', *options)
