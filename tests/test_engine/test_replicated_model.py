"""Two gloo processes with whole models, against one process."""

import pytest
import torch

from mmldm.engine import ReplicatedModel

# No dropout, whose masks are those of a batch; as in test_sharded_model.py.
EQUAL = dict(
    model__denoiser__res_block=None, optim_wrapper__optimizer__eps=1e-3
)
BATCH = 'train_dataloader__batch_size'


@pytest.fixture
def train(build_runner, tmp_path, monkeypatch):
    """Trains in a folder; the losses, and facts about the wrapper."""
    monkeypatch.setenv('LOCAL_RANK', '0')

    def train(name, **options):
        runner = build_runner(
            work_dir=str(tmp_path / name), **EQUAL, **options
        )
        wrapped = isinstance(runner.model, ReplicatedModel)
        runner.train()
        views = wrapped and runner.model.gradient_as_bucket_view
        return runner.record.losses, wrapped, views

    return train


@pytest.mark.parametrize(
    'wrapper, tolerance',
    [
        (None, 1e-5),
        (dict(gradient_compression='bfloat16'), 1e-2),
        pytest.param(
            dict(type='ReplicatedModel', static_graph=True),
            1e-5,
            marks=pytest.mark.slow,
        ),
    ],
    ids=['default', 'bfloat16', 'static'],
)
def test_two_processes_train_as_one(train, end_of, in_two, wrapper, tolerance):
    losses, wrapped, _ = train('one')
    assert not wrapped
    both = in_two(
        lambda: train(
            'two',
            launcher='pytorch',
            model_wrapper_cfg=wrapper,
            **{BATCH: 2},
        )
    )
    for found in both:
        assert found == (pytest.approx(losses, rel=tolerance), True, True)
    one, two = (end_of(name)['state_dict'] for name in ('one', 'two'))
    torch.testing.assert_close(two, one, rtol=tolerance, atol=tolerance / 10)


def test_an_unknown_compression_is_refused():
    with pytest.raises(ValueError, match="gradient_compression='int3'"):
        ReplicatedModel(torch.nn.Linear(1, 1), gradient_compression='int3')
