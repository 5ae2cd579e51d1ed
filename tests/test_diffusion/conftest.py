"""All schedules and predictions, for what must hold for each."""

import pytest

from mmldm.diffusion import (
    CosineSchedule,
    EDMPrediction,
    EpsilonPrediction,
    FlowPrediction,
    LinearBetas,
    RectifiedFlow,
    SamplePrediction,
    ScaledLinearBetas,
    SqrtBetas,
    VarianceExploding,
    VelocityPrediction,
    ZeroTerminalSNR,
)


def name(value):
    return type(value).__name__


@pytest.fixture(
    params=[
        ScaledLinearBetas(),
        LinearBetas(),
        CosineSchedule(),
        SqrtBetas(1e-8, 4e-4),
        ZeroTerminalSNR(dict(type='ScaledLinearBetas')),
        RectifiedFlow(),
        VarianceExploding(),
        ScaledLinearBetas(num_timesteps=10, end=0.9),
        RectifiedFlow(num_timesteps=1),
    ],
    ids=name,
)
def schedule(request):
    return request.param


@pytest.fixture(
    params=[
        EpsilonPrediction(),
        SamplePrediction(),
        VelocityPrediction(),
        FlowPrediction(),
        EDMPrediction(data_std=0.7),
    ],
    ids=name,
)
def prediction(request):
    return request.param
