import math

import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import (
    rescale_noise_cfg,
)

from mmldm.diffusion import (
    AutoGuidance,
    ClassifierFreeGuidance,
    NoGuidance,
    NoiseLevel,
    ScaledLinearBetas,
    SlotGuidance,
)
from mmldm.structures import Condition

LEVEL = ScaledLinearBetas()(500)
COND = Condition(vector=torch.tensor([[2.0], [3.0]]))
NULL = Condition(vector=torch.tensor([[-1.0], [-1.0]]))
Z = torch.tensor([[10.0], [20.0]])


class Predict:
    """An estimate that tells latent and condition apart; counts calls."""

    def __init__(self):
        self.batches = []

    def __call__(self, z, level, cond, guide=False):
        self.batches.append(len(z))
        return z * cond.vector + (5 if guide else 0)


def guided(guidance, level=LEVEL):
    predict = Predict()
    return guidance(predict, COND, NULL)(Z, level), predict.batches


@pytest.mark.parametrize(
    'guidance',
    [
        NoGuidance(),
        ClassifierFreeGuidance(1),
        ClassifierFreeGuidance(1, rescale=1.0),
        AutoGuidance(1),
        SlotGuidance(dict(vector=1)),
    ],
    ids=lambda guidance: type(guidance).__name__,
)
def test_without_guidance_the_estimate_is_conditional_and_made_once(guidance):
    z_0, batches = guided(guidance)
    assert z_0.flatten().tolist() == [20, 60]
    assert batches == [2]


def test_scale_0_is_unconditional():
    assert guided(ClassifierFreeGuidance(0))[0].flatten().tolist() == [
        -10,
        -20,
    ]


@pytest.mark.parametrize('scale', [0.0, 0.3, 1.0, 1.5, 3.0, 7.5])
def test_guidance_is_affine_from_null_to_conditional(scale):
    null, cond = Z * NULL.vector, Z * COND.vector
    z_0, _ = guided(ClassifierFreeGuidance(scale))
    torch.testing.assert_close(z_0, null + scale * (cond - null))


def test_both_estimates_are_one_call():
    assert guided(ClassifierFreeGuidance(3))[1] == [4]


def at_ratio(ratio):
    """A level of this sigma / alpha."""
    return ScaledLinearBetas().at_log_snr(-2 * math.log(ratio))


INTERVAL = (0.5, 2.0)


@pytest.mark.parametrize('ratio, inside', [(0.499, 0), (0.501, 1), (1.999, 1),
                                           (2.001, 0)])  # fmt: skip
@pytest.mark.parametrize(
    'guidance, batches',
    [
        (ClassifierFreeGuidance(3, interval=INTERVAL), [4]),
        (AutoGuidance(3, interval=INTERVAL), [2, 2]),
        (SlotGuidance(dict(vector=3), interval=INTERVAL), [4]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_outside_the_interval_one_conditional_estimate_is_made(
    guidance, batches, ratio, inside
):
    z_0, made = guided(guidance, at_ratio(ratio))
    assert made == (batches if inside else [2])
    conditional, _ = guided(NoGuidance())
    assert torch.equal(z_0, conditional) != bool(inside)


def test_pure_noise_is_in_an_interval_without_end():
    zero, one = torch.tensor([0.0, 1.0], dtype=torch.float64)
    level = NoiseLevel(one, zero, one)
    assert guided(ClassifierFreeGuidance(3), level)[1] == [4]
    bounded = ClassifierFreeGuidance(3, interval=(0, 100))
    assert guided(bounded, level)[1] == [2]


def constant(*values):
    """A prediction that is the given estimates, one a condition."""
    return lambda z, level, cond: torch.cat(values)


@pytest.mark.parametrize('rescale', [0.0, 0.7, 1.0])
def test_rescaling_brings_the_deviation_to_the_conditional_ones(rescale):
    """Lin et al. 2024, eqs. 15 and 16, sample by sample."""
    null, cond = torch.randn(2, 3, 4, 5, 5)
    z = torch.zeros(3, 4, 5, 5)
    plain = null + 5 * (cond - null)
    deviation = torch.stack([sample.std() for sample in cond])
    guidance = ClassifierFreeGuidance(5, rescale=rescale)
    z_0 = guidance(constant(null, cond), COND, NULL)(z, LEVEL)
    for i in range(3):
        rescaled = plain[i] * deviation[i] / plain[i].std()
        torch.testing.assert_close(
            z_0[i], rescale * rescaled + (1 - rescale) * plain[i]
        )


@pytest.mark.parametrize('rescale', [0.7, 1.0])
def test_the_output_is_rescaled_as_by_diffusers(rescale, prediction):
    """``rescale_noise_cfg`` of its pipelines, for every prediction."""
    z = torch.randn(3, 4, 5, 5, dtype=torch.float64)
    null, cond = torch.randn(2, 3, 4, 5, 5, dtype=torch.float64)
    guidance = ClassifierFreeGuidance(5, rescale, rescale_of='output')

    def predict(z, level, condition):
        return prediction.to_z_0(torch.cat([null, cond]), z, LEVEL)

    z_0 = guidance.on(prediction)(predict, COND, NULL)(z, LEVEL)
    guided = rescale_noise_cfg(null + 5 * (cond - null), cond, rescale)
    torch.testing.assert_close(z_0, prediction.to_z_0(guided, z, LEVEL))


def test_the_output_of_no_prediction_is_not_rescaled():
    z = torch.zeros(1, 4, 5, 5)
    guidance = ClassifierFreeGuidance(5, 0.7, rescale_of='output')
    with pytest.raises(ValueError, match='guidance.on'):
        guidance(constant(z, z), COND, NULL)(z, LEVEL)


def test_rescaling_a_constant_estimate_leaves_it():
    z = torch.zeros(1, 4, 5, 5)
    guidance = ClassifierFreeGuidance(5, rescale=1.0)
    denoise = guidance(constant(z, z), COND, NULL)
    assert torch.equal(denoise(z, LEVEL), z)


@pytest.mark.parametrize('scale', [0.0, 0.3, 2.0])
def test_autoguidance_leads_away_from_the_guide(scale):
    """Both see the condition, not the null one."""
    cond = Z * COND.vector
    z_0, batches = guided(AutoGuidance(scale))
    torch.testing.assert_close(z_0, (cond + 5) - scale * 5)
    assert batches == [2, 2]


def slots(value, names=('vector', 'tokens', 'spatial')):
    return Condition(**{name: torch.tensor([[value]]) for name in names})


class Told:
    """10 where the vector is told, 3 for tokens, 1 for spatial; counts."""

    calls = 0

    def __call__(self, z, level, cond):
        self.calls += 1
        return 10 * cond.vector + 3 * cond.tokens + cond.spatial


@pytest.mark.parametrize(
    'scales, expected',
    [
        # Nothing, vector, vector and tokens ...: sums of scaled differences.
        (dict(vector=2, tokens=5, spatial=7), 2 * 10 + 5 * 3 + 7),
        (dict(spatial=7, vector=2, tokens=0), 7 + 2 * 10),
        # What is not named is always told.
        (dict(tokens=5), 10 + 5 * 3 + 1),
    ],
)
def test_every_slot_has_its_scale(scales, expected):
    predict = Told()
    denoise = SlotGuidance(scales)(predict, slots(1.0), slots(0.0))
    assert float(denoise(torch.zeros(1, 1), LEVEL)) == expected
    assert predict.calls == 1


def interacting(z, level, cond):
    """No sum over slots: the order in which they are told matters."""
    return (cond.vector + 2) * (cond.tokens + 3) * (cond.spatial + 5)


def test_slots_are_told_in_the_order_of_the_dict():
    first = SlotGuidance(dict(vector=2, tokens=3, spatial=4))
    z_0 = first(interacting, slots(1.0), slots(0.0))(torch.zeros(1, 1), LEVEL)
    d = [2 * 3 * 5, 3 * 3 * 5, 3 * 4 * 5, 3 * 4 * 6]
    expected = d[0] + 2 * (d[1] - d[0]) + 3 * (d[2] - d[1]) + 4 * (d[3] - d[2])
    assert float(z_0) == expected


def test_equal_scales_are_classifier_free_guidance():
    z = torch.zeros(1, 1)
    names = ('spatial', 'vector', 'tokens')
    by_slot, free = (
        guidance(interacting, slots(1.0), slots(0.0))(z, LEVEL)
        for guidance in (
            SlotGuidance(dict.fromkeys(names, 3.5)),
            ClassifierFreeGuidance(3.5),
        )
    )
    torch.testing.assert_close(by_slot, free)


def test_a_slot_brings_its_mask():
    told, silent = (
        Condition(tokens=torch.ones(1, 2, 1), tokens_mask=mask)
        for mask in torch.tensor([[[True, True]], [[True, False]]])
    )
    seen = []

    def predict(z, level, cond):
        seen.append(cond.tokens_mask.tolist())
        return z

    SlotGuidance(dict(tokens=2))(predict, told, silent)(
        torch.zeros(1, 1), LEVEL
    )
    assert seen == [[[True, False], [True, True]]]


@pytest.mark.parametrize(
    'build, message',
    [
        (
            lambda: ClassifierFreeGuidance(-1),
            'scale=-1 must be >= 0; 1 is off',
        ),
        (lambda: AutoGuidance(-1), 'scale=-1 must be >= 0; 1 is off'),
        (
            lambda: SlotGuidance(dict(tokens=1, vector=-2)),
            'scale=-2 must be >= 0',
        ),
        (
            lambda: ClassifierFreeGuidance(2, rescale=1.5),
            r'rescale=1.5 must be in \[0, 1\]',
        ),
        (
            lambda: ClassifierFreeGuidance(2, interval=(2, 1)),
            r'interval=\(2, 1\) must be \(low, high\)',
        ),
        (
            lambda: ClassifierFreeGuidance(2, rescale_of='v'),
            "rescale_of='v' is not known",
        ),
        (lambda: AutoGuidance(2, interval=(-1, 1)), r'interval=\(-1, 1\)'),
        (
            lambda: SlotGuidance(dict(token=2)),
            "'token' is not known.*'tokens'",
        ),
        (lambda: SlotGuidance({}), 'scales is empty'),
    ],
)
def test_options_out_of_range_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_a_slot_that_is_not_filled_is_refused():
    with pytest.raises(ValueError, match="names 'tokens', .*'vector'"):
        SlotGuidance(dict(tokens=2))(Predict(), COND, NULL)
