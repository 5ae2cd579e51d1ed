"""Users' models, of kinds that no reference model is."""

import copy

import pytest
import torch

from mmldm.converters import convert_compvis
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import load_weights

# The smallest models have 32 channels, as many as norm groups.
pytestmark = pytest.mark.filterwarnings('ignore:.*cancels the time embedding')
CUMULATIVE = 'alphas_cumprod'


@pytest.fixture
def diffusion(reference):
    """A latent diffusion model and its checkpoint, to change."""
    name = 'uncond_vq_f4'
    return copy.deepcopy(reference.config(name)), reference.checkpoint(name)


def built(converted):
    model = MODELS.build(converted.config).eval()
    load_weights(model, converted.weights, 'converted')
    return model


def test_pixel_space_has_a_first_stage_that_scales(diffusion):
    config, state = diffusion
    config['params'] |= dict(
        scale_factor=0.5,
        first_stage_config=dict(
            target='ldm.models.autoencoder.IdentityFirstStage'
        ),
    )
    start = 'first_stage_model.'
    state = {n: w for n, w in state.items() if not n.startswith(start)}
    model = built(convert_compvis(config, state))
    x = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(model.autoencoder.encode(x), 0.5 * x)
    torch.testing.assert_close(model.autoencoder.decode(x), 2 * x)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_stays_and_is_no_other_schedule(diffusion, dtype):
    config, state = diffusion
    halved = {
        name: weight.to(dtype) if weight.is_floating_point() else weight
        for name, weight in state.items()
    }
    converted = convert_compvis(config, halved)
    name = 'denoiser.conv_in.weight'
    theirs = 'model_ema.diffusion_modelinput_blocks00weight'
    assert torch.equal(converted.weights[name], halved[theirs])
    model = built(converted)
    assert {w.dtype for w in model.parameters()} == {torch.float32}
    other = halved[CUMULATIVE].double() * (1 + 4 * torch.finfo(dtype).eps)
    with pytest.raises(ValueError, match='with other values of params'):
        convert_compvis(config, halved | {CUMULATIVE: other.to(dtype)})


@pytest.mark.parametrize(
    'change, message',
    [
        ({CUMULATIVE: torch.zeros(0)}, 'checkpoint has 0 values, that of'),
        ({CUMULATIVE: torch.tensor(0.5)}, 'checkpoint has 1 values down to'),
        (
            {CUMULATIVE: torch.zeros(1).expand(10**8)},
            'has 100000000 values down to 0, that of',
        ),
        ({'scale_factor': torch.ones(2)}, 'scale_factor of .* has 2 values'),
        ({'z': torch.ones(2), 'y': torch.ones(1)}, '^z, y have no place'),
    ],
)
def test_odd_tensors_are_refused_by_name(diffusion, change, message):
    config, state = diffusion
    with pytest.raises(ValueError, match=message):
        convert_compvis(config, state | change)


def test_a_table_of_no_time_steps_is_refused(diffusion):
    config, state = diffusion
    config['params']['learn_logvar'] = True
    with pytest.raises(ValueError, match='logvar has 1 values, but'):
        convert_compvis(config, state | {'logvar': torch.tensor(1.0)})


@pytest.mark.parametrize(
    'which, reason',
    [
        ('ema', 'how far the running average is'),
        ('raw', 'of a running average; the weights themselves are taken'),
    ],
)
def test_counters_have_the_reason_that_is_true(diffusion, which, reason):
    left_out = convert_compvis(*diffusion, which).left_out
    assert 'model_ema.decay' in left_out[reason]
