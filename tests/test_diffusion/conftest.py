"""All schedules and predictions, for what must hold for each."""

import pytest

from mmldm.diffusion import (
    CosineSchedule,
    EpsilonPrediction,
    FlowPrediction,
    LinearBetas,
    RectifiedFlow,
    SamplePrediction,
    ScaledLinearBetas,
    VelocityPrediction,
)


def name(value):
    return type(value).__name__


@pytest.fixture(
    params=[
        ScaledLinearBetas(),
        LinearBetas(),
        CosineSchedule(),
        RectifiedFlow(),
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
    ],
    ids=name,
)
def prediction(request):
    return request.param
