"""The loss of a network that has learned nothing, in closed form."""

import math

import pytest
import torch

from mmldm.models.editors.loss_terms import trivial_error


@pytest.mark.parametrize(
    ('schedule', 'prediction', 'expected'),
    [
        ('ScaledLinearBetas', 'EpsilonPrediction', 1.0),
        # alpha noise - sigma z_0, where alpha^2 + sigma^2 = 1
        ('ScaledLinearBetas', 'VelocityPrediction', 1.0),
        # noise - z_0
        ('RectifiedFlow', 'FlowPrediction', 2.0),
    ],
)
def test_the_error_of_zeros_is_the_variance_of_the_target(
    tiny_ldm, schedule, prediction, expected
):
    model = tiny_ldm(
        diffusion_scheduler=dict(
            noise_schedule=dict(type=schedule),
            prediction=dict(type=prediction),
        )
    )
    trivial = model.trivial_losses(torch.zeros(1, 3, 8, 8))
    assert trivial == {'loss_denoise': pytest.approx(expected, rel=0.02)}


def test_zeros_have_the_loss_that_is_said(tiny_ldm, labelled):
    """With latents of unit variance and the weights of min-SNR."""
    weighting = dict(type='MinSNRWeighting')
    model = tiny_ldm(diffusion_scheduler=dict(loss_weighting=weighting))
    model.autoencoder.encode = lambda x, draw: draw(x.new_empty(512, 4, 4, 4))
    model.output = lambda net, z_t, level, cond: 0 * z_t
    samples = [labelled(0, address=(1, i)) for i in range(512)]
    loss = model.loss(torch.zeros(512, 3, 8, 8), samples)['loss_denoise']
    expected = trivial_error(model.diffusion_scheduler, 4)
    assert loss.item() == pytest.approx(expected, rel=0.1)


def test_log_variances_are_left_out(tiny_ldm):
    model = tiny_ldm(log_variance=dict(type='LearnedLogVariance'))
    assert {*model.trivial_losses(torch.zeros(1, 3, 8, 8))} == {'error'}


def test_a_classifier_that_guesses_has_the_entropy_of_ten_classes():
    from mmldm.models.editors.latent_classification import (
        LatentClassification,
    )

    editor = object.__new__(LatentClassification)
    editor.__dict__['classifier'] = type('Ten', (), dict(num_classes=10))
    trivial = editor.trivial_losses(torch.zeros(1, 3, 8, 8))
    assert trivial == dict(loss_classify=math.log(10))
