"""Trainings that are dead, each in one way, and sound ones."""

import pytest
import torch
from mmengine.hooks import Hook

from mmldm.engine.signs_of_death import Codebook, Gradient, Plateau, latents
from mmldm.models.editors import FirstStage

HOOK = dict(type='DeadRunHook', interval=1, patience=12)


class Change(Hook):
    """Changes something of the runner before an iteration."""

    def __init__(self, change, iteration=0):
        self.change = change
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            self.change(runner)


@pytest.fixture
def train(build_runner):
    """Trains with a change; what the hook warned of, by sign."""

    def train(*changes, iterations=24, **overrides):
        runner = build_runner(
            train_cfg__max_iters=iterations,
            default_hooks__health=HOOK,
            param_scheduler=[],
            **overrides,
        )
        said = []
        runner.logger.warning = said.append
        for change in changes:
            runner.register_hook(change)
        runner.train()
        (hook,) = (h for h in runner.hooks if hasattr(h, 'warnings'))
        dead = [text for text in said if 'may be dead' in text]
        assert len(dead) == len(hook.warnings)  # each once
        return hook.warnings

    return train


def set_rate(rate):
    def change(runner):
        for group in runner.optim_wrapper.optimizer.param_groups:
            group['lr'] = rate

    return change


def cut_output(runner):
    """The denoiser's output stays 0, and nothing before it learns."""
    last = runner.bare_model.denoiser.out
    for weight in last.parameters():
        torch.nn.init.zeros_(weight)
        weight.requires_grad_(False)


def make_codes_equal(runner):
    codes = runner.bare_model.autoencoder.quantizer.codes
    torch.nn.init.zeros_(getattr(codes, 'weight', codes))


def test_a_sound_diffusion_model_is_silent(train):
    assert train() == {}


def test_a_loss_that_does_not_fall_is_named_with_its_bound(train):
    """Gradients behind an output that starts at 0 are none, too."""
    warnings = train(Change(set_rate(1e-12)))
    assert warnings['loss'].startswith('loss_denoise is ')
    assert 'for a network that predicts nothing: usually' in warnings['loss']


def test_latents_without_their_scale_are_named(train):
    warnings = train(
        iterations=2,
        default_hooks__latent_scale=None,
        model__autoencoder__latent_scale=1e-3,
    )
    assert {*warnings} == {'latents'}
    assert "latent_scale=dict(type='LatentScaleHook')" in warnings['latents']


def test_a_part_without_gradient_is_named(train):
    warnings = train(Change(cut_output), iterations=6)
    assert (
        'gradient of model.denoiser is 0' in warnings['gradient of denoiser']
    )


def test_an_exploding_gradient_is_named(train):
    warnings = train(Change(set_rate(3.0), 12))
    assert 'the learning rate is too high' in warnings['gradient of denoiser']


def test_a_sound_first_stage_is_silent(train, adversarial_training):
    assert train(**adversarial_training) == {}


def test_a_collapsed_codebook_is_named(train, adversarial_training):
    adversarial_training['model']['autoencoder']['quantizer'] = dict(
        num_codes=16
    )
    warnings = train(Change(make_codes_equal), **adversarial_training)
    assert 'of 16 codes: the codebook has collapsed' in warnings['codebook']


def test_a_blind_first_stage_predicts_the_mean_colour():
    inputs = torch.rand(4, 3, 8, 8, generator=torch.manual_seed(0)) * 2 - 1
    editor = object.__new__(FirstStage)
    editor.__dict__['pixel_loss'] = torch.nn.functional.mse_loss
    trivial = editor.trivial_losses(inputs)['loss_rec']
    variance = inputs.var((0, 2, 3), correction=0).mean()
    assert trivial == pytest.approx(variance.item(), rel=1e-5)


@pytest.mark.parametrize(
    ('value', 'is_dead'), [(0.2, True), (0.5, False), (2.0, False), (9, True)]
)
def test_latents_may_differ_from_the_noise_by_three(value, is_dead):
    assert (latents(value) is not None) == is_dead


def test_a_plateau_is_the_mean_of_ten():
    sign = Plateau()
    found = [sign('loss', value, 2.0) for value in (*[0.0] * 9, *[2.0] * 10)]
    assert [text is not None for text in found] == [False] * 18 + [True]


def test_a_codebook_of_few_entries_in_use_has_collapsed():
    for perplexity, is_dead in ((9.0, True), (11.0, False)):
        sign = Codebook()
        found = [sign(perplexity, 1000) for _ in range(10)]
        assert (found[-1] is not None) == is_dead
        assert found[:-1] == [None] * 9


def test_one_outlier_is_no_explosion():
    sign = Gradient('denoiser')
    norms = [1.0] * 10 + [1e6, 1.0, float('nan'), 1.0]
    assert [sign(norm) for norm in norms] == [None] * 14
    assert sign(1e6) is None
    assert 'is 1e+06, and was 1 before' in sign(1e6)
