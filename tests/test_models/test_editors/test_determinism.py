"""A sample depends on its own address alone."""

import pytest
import torch

SIZES = (1, 4, 16)
ORDER = [(5 * i) % 16 for i in range(16)]


@pytest.fixture(params=[0.0, 1.0], ids=lambda eta: f'eta {eta:g}')
def solver(request):
    return dict(type='DDIM', eta=request.param)


@pytest.fixture(
    params=[
        dict(type='NoGuidance'),
        dict(
            type='ClassifierFreeGuidance',
            scale=3.0,
            rescale=0.7,
            interval=(0.1, 10.0),
        ),
    ],
    ids=lambda guidance: guidance['type'],
)
def model(request, tiny_ldm, solver):
    return tiny_ldm(
        guidance=request.param,
        diffusion_scheduler=dict(
            solver=solver,
            time_grid=dict(_delete_=True, type='LogSNRGrid'),
            num_steps=3,
        ),
    )


def in_batches(edit, size):
    """What ``edit`` makes of samples 0 to 15, shuffled, ``size`` at once."""
    made = {}
    for first in range(0, 16, size):
        indices = ORDER[first : first + size]
        made.update(zip(indices, edit(indices), strict=True))
    return torch.stack([made[i] for i in range(16)])


def assert_same_in_any_batch(edit):
    """Kernels for other batch sizes round otherwise: one level of 255."""
    alone, few, all_of_them = (in_batches(edit, size) for size in SIZES)
    again = in_batches(edit, 16)
    assert torch.equal(again, all_of_them)
    for batch in (few, all_of_them):
        assert (batch.int() - alone.int()).abs().max() <= 1
    assert len(alone.flatten(1).unique(dim=0)) == 16


def test_predictions(model, labelled):
    def predict(indices):
        samples = [labelled(i % 10, address=(0, i)) for i in indices]
        return [s.pred_img for s in model.predict(None, samples)]

    assert_same_in_any_batch(predict)


def test_fillings(model, labelled):
    images = torch.rand(16, 3, 8, 8) * 2 - 1
    mask = torch.zeros(16, 1, 8, 8)
    mask[..., 4:] = 1

    def fill(indices):
        samples = [labelled(i % 10, address=(0, i)) for i in indices]
        filled = model.inpaint(images[indices], mask[indices], samples, 1)
        return ((filled.clamp(-1, 1) + 1) * 127.5).round().byte()

    assert_same_in_any_batch(fill)
