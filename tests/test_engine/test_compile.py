"""The key ``compile``: networks are compiled, training stays the same."""

import os

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmldm.models.losses import ExtraLoss
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import read_checkpoint

EAGER = dict(backend='eager')


@pytest.fixture(autouse=True)
def _reset():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def end(runner):
    return read_checkpoint(os.path.join(runner.work_dir, 'iter_4.pth'))


@pytest.mark.slow
def test_a_compiled_training_equals_a_plain_one_and_resumes(build_runner):
    plain = build_runner(train_cfg__max_iters=4, param_scheduler=[])
    plain.train()
    config = dict(
        train_cfg__max_iters=4,
        param_scheduler=[],
        compile=EAGER,
        work_dir=plain.work_dir + '-compiled',
    )
    compiled = build_runner(**config)
    compiled.train()
    assert hasattr(compiled.model.denoiser.mid[0].res, 'compiled_from')
    assert compiled.record.losses == pytest.approx(plain.record.losses)
    ends = [end(runner)['state_dict'] for runner in (plain, compiled)]
    assert [*ends[0]] == [*ends[1]]
    torch.testing.assert_close(*ends)
    os.remove(os.path.join(compiled.work_dir, 'iter_4.pth'))
    resumed = build_runner(**config, resume=True)
    resumed.train()
    assert resumed.record.losses == {
        i: loss for i, loss in compiled.record.losses.items() if i >= 2
    }


@pytest.mark.slow
def test_a_first_stage_with_a_discriminator_is_compiled(
    build_runner, adversarial_training
):
    """The adaptive weight goes back through the decoder's last layer."""
    plain = build_runner(**adversarial_training)
    plain.train()
    compiled = build_runner(
        **adversarial_training,
        compile=dict(backend='aot_eager'),
        work_dir=plain.work_dir + '-compiled',
    )
    compiled.train()
    assert compiled.record.losses == pytest.approx(plain.record.losses)


class Reads(ExtraLoss):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, step):
        return dict(size=step.hidden[self.layers[0]].square().mean())


@pytest.fixture
def reading(tiny_ldm):
    def build(layer):
        MODELS.register_module(module=Reads, force=True)
        try:
            return tiny_ldm(extra_losses=[dict(type='Reads', layers=(layer,))])
        finally:
            del MODELS._module_dict['Reads']

    return build


def test_an_extra_loss_reads_a_compiled_block(reading, labelled):
    model = reading('mid.0.res')
    image = torch.randint(256, (3, 8, 8), dtype=torch.uint8)
    batch = dict(inputs=[image], data_samples=[labelled(3, address=(0, 0))])
    model.compile_parts(**EAGER)
    weights = nn.ParameterList(model.denoiser.parameters())
    step = OptimWrapper(torch.optim.SGD(weights, lr=0.1))
    sizes = [model.train_step(batch, step)['loss_size'] for _ in range(3)]
    assert len({size.item() for size in sizes}) == 3


def test_an_extra_loss_inside_of_a_compiled_block_is_refused(reading):
    with pytest.raises(ValueError, match="read 'mid.0.res', or leave out"):
        reading('mid.0.res.conv1').compile_parts(**EAGER)


@pytest.mark.parametrize(
    'options', [dict(backend='nonsense'), dict(mode='nonsense')]
)
def test_options_that_torch_refuses_are_named(tiny_ldm, options):
    with pytest.raises(ValueError, match='^compile=.*nonsense.*compile=True'):
        tiny_ldm().compile_parts(**options)
