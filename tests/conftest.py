"""A seed, a problem solved in closed form, and a tiny model."""

import copy
import gzip
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import base_dataset
from mmengine.evaluator import Evaluator
from torch import nn

from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample

# Tiny nets are faster on one thread, and several test runs do not fight.
torch.set_num_threads(1)

TINY_AUTOENCODER = dict(
    type='AutoencoderKL',
    latent_channels=4,
    channels=32,
    channel_mults=(1, 1),
    num_res_blocks=1,
    mid_attention=False,
)
# 64 channels in the denoiser: where each of the 32 norm groups is one channel,
# they undo what the time embedding adds.
TINY_LDM = dict(
    type='LatentDiffusion',
    autoencoder=TINY_AUTOENCODER,
    denoiser=dict(
        type='DenoisingUNet',
        in_channels=4,
        out_channels=4,
        channels=64,
        channel_mults=(1,),
        num_res_blocks=1,
        attn_factors=(),
        context_dim=8,
    ),
    conditioner=dict(
        type='Conditioner',
        embedders=[dict(type='ClassEmbedder', num_classes=10, embed_dim=8)],
    ),
    diffusion_scheduler=dict(
        type='DiffusionScheduler',
        noise_schedule=dict(type='ScaledLinearBetas'),
        prediction=dict(type='EpsilonPrediction'),
        loss_weighting=dict(type='UniformWeighting'),
        timestep_sampler=dict(type='UniformTimesteps'),
        time_grid=dict(type='LeadingGrid'),
        solver=dict(type='DDIM'),
        num_steps=2,
    ),
    guidance=dict(type='NoGuidance'),
)


@pytest.fixture(autouse=True, scope='session')
def _garbage():
    """mmengine collects it with every data set, half a second each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            base_dataset, 'gc', SimpleNamespace(collect=lambda: None)
        )
        yield


@pytest.fixture(autouse=True)
def _seed():
    np.random.seed(0)
    torch.manual_seed(0)


class Gaussian:
    """z_0 ~ N(mu, s^2): its best denoiser, and the path of its noise."""

    def __init__(self, mu, s):
        self.mu = mu
        self.s = s

    def std(self, level):
        """Of z at a level."""
        return (level.alpha**2 * self.s**2 + level.sigma**2).sqrt()

    def denoise(self, z, level):
        """E[z_0 | z]."""
        gain = level.alpha * self.s**2 / self.std(level) ** 2
        return self.mu + gain * (z - level.alpha * self.mu)

    def flow(self, z, from_level, to_level):
        """The probability flow keeps how many deviations z is off."""
        off = (z - from_level.alpha * self.mu) / self.std(from_level)
        return to_level.alpha * self.mu + self.std(to_level) * off


@pytest.fixture
def gaussian():
    return Gaussian(mu=0.7, s=0.4)


# Of VGG-16: place among its layers -> channels out and in.
CONVOLUTIONS = {
    0: (64, 3),
    2: (64, 64),
    5: (128, 64),
    7: (128, 128),
    10: (256, 128),
    12: (256, 256),
    14: (256, 256),
    17: (512, 256),
    19: (512, 512),
    21: (512, 512),
    24: (512, 512),
    26: (512, 512),
    28: (512, 512),
}


class Reference:
    """Values that the original computes; tests/data/reference/README.md."""

    FOLDER = Path(__file__).parent / 'data' / 'reference'

    @staticmethod
    def _normal(key, shape):
        generator = np.random.Generator(np.random.PCG64(zlib.crc32(key)))
        return generator.standard_normal(shape)

    def weight(self, name, shape):
        """The learnable tensor of this name in every case."""
        x = self._normal(name.encode(), shape)
        if len(shape) >= 2:
            x = x / np.sqrt(np.prod(shape[1:]))
        elif name.endswith('weight'):
            x = 1 + 0.1 * x
        else:
            x = 0.1 * x
        return torch.from_numpy(np.asarray(x, np.float32))

    def gaussian(self, tag, shape):
        """The input of this tag."""
        x = self._normal(f'input:{tag}'.encode(), shape)
        return torch.from_numpy(x.astype(np.float32))

    def vgg_weights(self, case, slices):
        """VGG-16 by its names in torchvision, or in LPIPS's five slices."""
        weights = {}
        for layer, (outputs, inputs) in CONVOLUTIONS.items():
            depth = 1 + sum(layer > cut for cut in (4, 9, 16, 23))
            original = f'{case}.perceptual_loss.net.slice{depth}.{layer}'
            name = original if slices else f'features.{layer}'
            for kind, shape in (
                ('weight', (outputs, inputs, 3, 3)),
                ('bias', (outputs,)),
            ):
                weights[f'{name}.{kind}'] = self.weight(
                    f'{original}.{kind}', shape
                )
        return weights

    def linear_weights(self, case):
        """Weights of the differences of features, by their names."""
        weights = {}
        for i, channels in enumerate((64, 128, 256, 512, 512)):
            name = f'lin{i}.model.1.weight'
            original = f'{case}.perceptual_loss.{name}'
            weights[name] = self.weight(original, (1, channels, 1, 1)).abs()
        return weights

    def original(self, case):
        """``params`` of the original's config of a diffusion model."""
        return self._case(case)['config']['params']

    def config(self, case):
        """The original's config of a diffusion model."""
        return self._case(case)['config']

    def checkpoint(self, case):
        """All tensors of a case as the original writes them.

        Its values are those of the running average; the weights in training
        are others.
        """
        config, shapes = self.config(case), self._case(case)['state_dict']
        values = self.values(case)
        average = {
            'model_ema.' + name.removeprefix('model.').replace('.', ''): name
            for name in shapes
            if name.startswith('model.')
        }
        # A model that conditions on images has its first stage twice.
        twice = config['params']['cond_stage_config'] == '__is_first_stage__'
        state = {}
        for name, shape in shapes.items():
            if name in average:
                state[name] = self.weight(average[name], shape)
            elif name.startswith('model.'):
                state[name] = -self.weight(name, shape)
            elif '.' not in name or name.startswith('model_ema.'):
                # What follows from the config, or is 1.
                state[name] = values.get(name, torch.ones(shape))
            elif twice:
                first = name.replace('cond_stage_model', 'first_stage_model')
                state[name] = self.weight(first, shape)
            else:
                state[name] = self.weight(name, shape)
        return state

    def weights(self, case, prefix):
        """A part's weights of a case, by name within the part."""
        return {
            name.removeprefix(prefix): self.weight(name, shape)
            for name, shape in self._case(case)['state_dict'].items()
            if name.startswith(prefix)
        }

    def _case(self, case):
        return json.loads((self.FOLDER / f'{case}.json').read_text())

    def published(self, kind):
        """Configs, and shapes by name, of the original's checkpoints."""
        path = self.FOLDER / 'official_checkpoints.json.gz'
        with gzip.open(path) as file:
            models = json.load(file)
        return {
            name: model
            for name, model in models.items()
            if name.split('/')[0] in kind
        }

    def values(self, case):
        """What the original computed, by key."""
        with np.load(self.FOLDER / f'{case}.npz') as file:
            return {key: torch.from_numpy(file[key]) for key in file}

    def fill(self, module, prefix):
        """Give parameters their values by name."""
        for name, parameter in module.named_parameters():
            parameter.data = self.weight(prefix + name, parameter.shape)
        return module


@pytest.fixture(scope='session')
def reference():
    return Reference()


@pytest.fixture
def assert_near():
    def assert_near(found, expected, rel=1e-4):
        """Within a part of the largest value, as between float32 kernels."""
        atol = rel * expected.abs().max().item()
        torch.testing.assert_close(found, expected, rtol=0, atol=atol)

    return assert_near


@pytest.fixture
def awaken():
    """Gives zero weights numbers, as training does: no branch is silent."""

    def awaken(module):
        for weight in module.parameters():
            if not weight.any():
                nn.init.normal_(weight, std=0.1)
        return module

    return awaken


@pytest.fixture
def ldm_config():
    """The tiny model's config; overrides merge as a child config does."""

    def merged(**overrides):
        config = Config(dict(model=copy.deepcopy(TINY_LDM)))
        config.merge_from_dict(dict(model=overrides))
        return config.model

    return merged


@pytest.fixture
def tiny_autoencoder():
    """The config of an autoencoder of factor 2."""
    return copy.deepcopy(TINY_AUTOENCODER)


@pytest.fixture
def tiny_ldm(ldm_config, awaken):
    """Builds a LatentDiffusion of that config."""

    def build(**overrides):
        model = MODELS.build(ldm_config(**overrides))
        awaken(model.denoiser)
        return model.eval()

    return build


@pytest.fixture
def labelled():
    """Builds a sample with a label and, where given, an address."""

    def labelled(label, address=None, img_shape=(8, 8)):
        sample = LDMDataSample(metainfo=dict(img_shape=img_shape))
        if address is not None:
            sample.set_metainfo(dict(address=address))
        return sample.set_gt_label(label)

    return labelled


@pytest.fixture
def run_two_ranks(tmp_path):
    """Runs ``FILE RANK FOLDER`` as two processes; what each has saved.

    They meet in the folder, and save RANK.pth there.
    """

    def run(file):
        root = str(Path(__file__).parents[1])
        processes = [
            subprocess.Popen(
                [sys.executable, file, str(rank), str(tmp_path)],
                env={**os.environ, 'PYTHONPATH': root},
            )
            for rank in range(2)
        ]
        try:
            assert [process.wait(400) for process in processes] == [0, 0]
        finally:
            for process in processes:
                process.kill()
        return [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]

    return run


@pytest.fixture
def judge():
    """What a metric says of samples that come in batches of a size."""

    def judge(metric, samples, batch_size=2):
        evaluator = Evaluator(metric)
        for i in range(0, len(samples), batch_size):
            evaluator.process(samples[i : i + batch_size])
        return evaluator.evaluate(size=len(samples))

    return judge
