"""Waits of the CPU for the GPU, counted on a pretended one."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = Path(__file__).parents[1] / 'pretended_cuda' / 'count_waits.py'
LOGGED, ITERATIONS = 4, 9
COMMON = dict(
    default_hooks__logger__interval=LOGGED,
    default_hooks__checkpoint__interval=900,
    default_hooks__health=dict(type='DeadRunHook', interval=3, patience=1),
    log_processor__type='ThroughputLogProcessor',
    train_cfg__max_iters=ITERATIONS,
)
SCENES = dict(
    train_dataloader__dataset=dict(
        _delete_=True,
        type='ShapeScenes',
        split='train',
        size=16,
        num_samples=100,
        pipeline=[dict(type='PackInputs')],
    ),
    model__conditioner__drop_prob=0.3,
)


def conditioned(embedder, in_channels=4, context_dim=None, pipeline=None):
    """A model of scenes whose only condition is this one."""
    options = {
        **copy.deepcopy(SCENES),
        'model__conditioner__embedders': [embedder],
        'model__denoiser__in_channels': in_channels,
        'model__denoiser__context_dim': context_dim,
    }
    if pipeline is not None:
        options['train_dataloader__dataset']['pipeline'] = pipeline
    return options


MODELS = dict(
    # Learned weights, offset noise, accumulation, bfloat16 and clipping.
    label=dict(
        model__conditioner__drop_prob=0.1,
        model__diffusion_scheduler__num_steps=4,
        model__diffusion_scheduler__offset_noise=0.1,
        model__log_variance=dict(type='LearnedLogVariance'),
        optim_wrapper=dict(
            type='AutocastOptimWrapper',
            accumulative_counts=3,
            clip_grad=dict(max_norm=1.0),
        ),
        train_dataloader__num_workers=2,
        sampled_labels=[3, 5],
    ),
    # A flow, stratified times, a stochastic solver and guidance.
    flow=dict(
        model__conditioner__drop_prob=0.5,
        model__diffusion_scheduler__noise_schedule=dict(
            _delete_=True, type='RectifiedFlow'
        ),
        model__diffusion_scheduler__prediction=dict(
            _delete_=True, type='FlowPrediction'
        ),
        model__diffusion_scheduler__timestep_sampler=dict(
            _delete_=True, type='LogitNormalTimesteps', stratified=True
        ),
        model__diffusion_scheduler__num_steps=3,
        model__guidance=dict(type='ClassifierFreeGuidance', scale=2.0),
        optim_wrapper__clip_grad=dict(max_norm=1.0),
        sampled_labels=[0, 9],
    ),
    layout=conditioned(dict(type='BoxMap', num_classes=24, embed_dim=4), 8),
    boxes=conditioned(
        dict(type='BoxEmbedder', num_classes=24, embed_dim=8), 4, 8
    ),
    map=conditioned(dict(type='SemanticMap', num_classes=25, embed_dim=4), 8),
    inpainting=conditioned(
        dict(type='MaskedImage'),
        9,
        pipeline=[
            dict(type='RandomMask'),
            dict(type='PackInputs', gt_img=True),
        ],
    ),
    upscaling=conditioned(
        dict(type='LowResolution'),
        7,
        pipeline=[
            dict(type='DegradeBicubic', factor=2),
            dict(type='PackInputs'),
        ],
    ),
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which('g++'), reason='there is no g++'),
]


@pytest.fixture
def count_waits(training_config, tmp_path):
    """Counts the waits of trainings with dotted overrides, by name."""

    def config(name, options):
        cfg = copy.deepcopy(training_config)
        for own in (COMMON, copy.deepcopy(options)):
            cfg.merge_from_dict(
                {k.replace('__', '.'): v for k, v in own.items()}
            )
        cfg.experiment_name = name
        cfg.work_dir = str(tmp_path / name)
        return cfg.to_dict()

    def count(models):
        configs = {name: config(name, own) for name, own in models.items()}
        path, out = tmp_path / 'configs.json', tmp_path / 'out.json'
        path.write_text(json.dumps(configs))
        done = subprocess.run(
            [sys.executable, str(COUNT), str(path), str(out)],
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(out.read_text())

    return count


def check_training(name, waits, first=0):
    """No wait in a plain iteration, one in an iteration that logs.

    The last one is left out, as a checkpoint follows it.
    """
    for i, places in enumerate(waits[first:-1], start=first):
        allowed = int((i + 1) % LOGGED == 0)
        assert len(places) == allowed, (name, i, places)


def test_diffusion_models_do_not_wait(count_waits):
    found = count_waits(MODELS)
    assert found.keys() == MODELS.keys()
    for name, waits in found.items():
        check_training(name, waits['train'])
        for step, places in enumerate(waits.get('sample', [])):
            assert places == [], (name, step)
    assert len(found['label']['sample']) == 4


def test_a_checkpoint_waits_for_what_it_stores_and_no_tensor_more(
    count_waits,
):
    """For values not yet logged, finiteness, and all copies together."""
    options = dict(default_hooks__checkpoint__interval=3)
    waits = count_waits(dict(stored=options))['stored']['train']
    for i, places in enumerate(waits[:-1]):
        logs = (i + 1) % LOGGED == 0
        stores = 3 if (i + 1) % 3 == 0 else 0
        assert len(places) <= logs + stores, (i, places)
    assert waits[2]


def test_first_stages_do_not_wait(count_waits, adversarial_training):
    """Nor with a discriminator, and a codebook that is kept alive.

    The codebook begins in the first iteration, which waits for that.
    """
    quantizer = dict(num_codes=16, kmeans_init=True, revive_after=1)
    codes = copy.deepcopy(adversarial_training)
    codes['model']['autoencoder']['quantizer'] = quantizer
    averaged = copy.deepcopy(adversarial_training)
    for part in ('autoencoder', 'adversarial'):
        averaged['optim_wrapper'][part]['clip_grad'] = dict(max_norm=1.0)
    found = count_waits(dict(codes=codes, averaged=averaged))
    check_training('codes', found['codes']['train'], first=1)
    check_training('averaged', found['averaged']['train'])
