"""A second frozen network that supervises what the denoiser's layers say."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper
from torch import nn

from mmldm.engine.frozen_parts import check_frozen_parts
from mmldm.engine.hooks import ModuleEMAHook
from mmldm.models.losses import ExtraLoss
from mmldm.utils.checkpoint import (
    load_weights,
    read_checkpoint,
    write_checkpoint,
)
from mmldm.utils.frozen_part import FrozenPart


class Alignment(FrozenPart, ExtraLoss):
    """1 - cosine of hidden features and a teacher's; Yu et al. 2024."""

    part, files = 'teacher', ('teacher_checkpoint',)

    def __init__(self, layer, channels, teacher_checkpoint=None, weight=0.5):
        super().__init__()
        self.layers, self.weight = (layer,), weight
        self.teacher_checkpoint = teacher_checkpoint
        self.teacher = nn.Conv2d(3, 6, 2, stride=2)
        self.project = nn.Conv2d(channels, 6, 1)
        if teacher_checkpoint is not None:
            weights = read_checkpoint(teacher_checkpoint)
            load_weights(self.teacher, weights, teacher_checkpoint)
        self.freeze_part(has_file=teacher_checkpoint is not None)

    def forward(self, step):
        mine = self.project(step.hidden[self.layers[0]])
        cosine = F.cosine_similarity(mine, self.teacher(step.inputs), dim=1)
        return dict(align=self.weight * (1 - cosine).mean())


@pytest.fixture
def teacher(tmp_path):
    """A file with the weights of one that somebody trained."""
    path = tmp_path / 'teacher.pth'
    write_checkpoint(nn.Conv2d(3, 6, 2, stride=2).state_dict(), path)
    return str(path)


@pytest.fixture
def aligned(register, tiny_ldm, teacher):
    """Builds a model with that term."""
    register(Alignment)

    def aligned(layer='mid.0', teacher_checkpoint=teacher, **options):
        loss = dict(
            type='Alignment',
            layer=layer,
            channels=64,
            teacher_checkpoint=teacher_checkpoint,
            **options,
        )
        return tiny_ldm(extra_losses=[loss])

    return aligned


@pytest.fixture
def samples(labelled):
    return [labelled(3, address=(0, i)) for i in range(4)]


IMAGES = torch.linspace(-1, 1, 4 * 3 * 64).view(4, 3, 8, 8)


def test_the_term_is_that_of_the_layer_and_the_image(aligned, samples):
    model = aligned()
    seen = []
    model.denoiser.mid[0].register_forward_hook(
        lambda module, args, out: seen.append(out)
    )
    losses = model.loss(IMAGES, samples)
    (term,) = model.extra_losses
    step = SimpleNamespace(inputs=IMAGES, hidden={'mid.0': seen[0]})
    assert torch.equal(losses['loss_align'], term(step)['align'])
    assert losses['loss_align'] > 0
    # The denoising error is what it is without.
    model.extra_losses = type(model.extra_losses)((), model.denoiser)
    assert torch.equal(
        losses['loss_denoise'], model.loss(IMAGES, samples)['loss_denoise']
    )


def test_it_trains_projector_and_denoiser_up_to_the_layer(aligned, samples):
    model = aligned().train()
    model.loss(IMAGES, samples)['loss_align'].backward()
    (term,) = model.extra_losses
    assert term.project.weight.grad.any()
    assert model.denoiser.conv_in.weight.grad.any()
    assert model.denoiser.out[-1].weight.grad is None
    assert term.teacher.weight.grad is None and not term.teacher.training


def test_it_trains_under_checkpointing(aligned, samples):
    grads = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = aligned().train()
        model.denoiser.checkpointing = checkpointing
        sum(model.loss(IMAGES, samples).values()).backward()
        grads.append(model.denoiser.conv_in.weight.grad)
    torch.testing.assert_close(*grads)


def test_the_teacher_is_neither_stored_nor_averaged(aligned, samples):
    """What is stored of it is the hash; the projector is stored whole."""
    model = aligned()
    state = model.state_dict()
    found = {name for name in state if name.startswith('extra_losses.')}
    own = ('teacher_hash', 'project.weight', 'project.bias')
    assert found == {f'extra_losses.0.{name}' for name in own}
    hook = ModuleEMAHook()
    hook.before_run(SimpleNamespace(bare_model=model))
    assert not [name for name in hook.raw if name.startswith('extra_losses')]
    check_frozen_parts(model.extra_losses)
    load_weights(aligned(), state, 'the checkpoint')


@pytest.mark.parametrize('added', [True, False])
def test_a_term_is_added_to_a_trained_model_or_left_out(
    aligned, tiny_ldm, added
):
    """All other weights are loaded."""
    models = [tiny_ldm(), aligned()]
    source, target = models if added else models[::-1]
    own = {n: w.clone() for n, w in target.extra_losses.state_dict().items()}
    load_weights(target, source.state_dict(), 'the checkpoint')
    for name, weight in target.denoiser.state_dict().items():
        assert torch.equal(weight, source.denoiser.state_dict()[name])
    for name, weight in target.extra_losses.state_dict().items():
        assert torch.equal(weight, own[name])


def test_weights_of_terms_are_left_out_for_terms_without_any(
    aligned, tiny_ldm
):
    state = aligned().state_dict()
    target = tiny_ldm(extra_losses=[dict(type='DecodedLoss')])
    load_weights(target, state, 'the checkpoint')
    for name, weight in target.denoiser.state_dict().items():
        assert torch.equal(weight, state[f'denoiser.{name}'])


def test_another_teacher_is_refused(aligned, tmp_path):
    state = aligned().state_dict()
    path = tmp_path / 'other.pth'
    write_checkpoint(nn.Conv2d(3, 6, 2, stride=2).state_dict(), path)
    message = r'made with a teacher .* Alignment.teacher_checkpoint=.*other'
    with pytest.raises(ValueError, match=message):
        load_weights(
            aligned(teacher_checkpoint=str(path)), state, 'the checkpoint'
        )


def test_a_teacher_that_nobody_trained_is_refused(aligned):
    model = nn.ModuleDict(
        dict(extra_losses=aligned(teacher_checkpoint=None).extra_losses)
    )
    key = 'model.extra_losses.0.teacher_checkpoint is missing'
    with pytest.raises(ValueError, match=key):
        check_frozen_parts(model)


def test_a_training_step_logs_it(aligned, samples):
    model = aligned().train()
    optimizer = torch.optim.SGD(
        [w for w in model.parameters() if w.requires_grad], lr=0.1
    )
    data = dict(inputs=[torch.zeros(3, 8, 8).byte()] * 4, data_samples=samples)
    logged = [model.train_step(data, OptimWrapper(optimizer)) for _ in '12']
    assert logged[1]['loss_align'] < logged[0]['loss_align']
    total = logged[0]['loss_denoise'] + logged[0]['loss_align']
    torch.testing.assert_close(logged[0]['loss'], total)


def test_a_layer_that_is_not_there_is_refused(aligned):
    message = r"model.extra_losses.0.layers has 'mid.9', .*mean 'mid.1'"
    with pytest.raises(ValueError, match=message):
        aligned(layer='mid.9')


def test_a_layer_that_is_not_called_is_refused(aligned, samples):
    """A list of blocks is a module without output."""
    message = "extra_losses reads the output of 'mid', .*name another layer"
    with pytest.raises(ValueError, match=message):
        aligned(layer='mid').loss(IMAGES, samples)


def test_what_is_no_term_is_refused(tiny_ldm):
    with pytest.raises(ValueError, match='model.extra_losses.0=Equivariance'):
        tiny_ldm(extra_losses=[dict(type='Equivariance')])


def test_a_term_that_is_not_one_number_is_refused(aligned, samples):
    model = aligned()
    model.extra_losses[0].forward = lambda step: dict(a=step.inputs)
    message = r"loss term 'a' of model.extra_losses.0 .*\(4, 3, 8, 8\)"
    with pytest.raises(ValueError, match=message):
        model.loss(IMAGES, samples)
