"""Two gloo processes that hold parts of a model, against one process."""

import math

import pytest
import torch
from mmengine.dist import get_rank
from mmengine.optim import OptimWrapperDict
from torch import nn

from mmldm.apis.training_memory import training_memory
from mmldm.engine import ShardedModel, sharded_optimizer
from mmldm.engine.model_wrapping import fitted_to_shards
from mmldm.engine.sharded_model import average_gradients
from mmldm.models.conditioners.tokenizers import Tokenizer
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint
from mmldm.utils.sharding import is_sharded, own_part, snapshot, total_norm

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason='processes of gloo work on the CPU'
)
SHARDED = dict(launcher='pytorch', model_wrapper_cfg=dict(type='ShardedModel'))
TRANSFORMER = dict(
    _delete_=True,
    type='DiffusionTransformer',
    channels=32,
    patch_size=2,
    num_layers=2,
    num_heads=2,
    context_dim=8,
)
# Clipping that is active, accumulation, and blocks that are recomputed.
DEMANDING = dict(
    optim_wrapper__accumulative_counts=2,
    optim_wrapper__clip_grad=dict(max_norm=0.1),
    model__denoiser__checkpointing=True,
)
# A second part that is sharded, and a third that stays whole.
TEXT = dict(
    model__conditioner__embedders=[
        dict(
            type='TokenTransformer',
            tokenizer=dict(type='LabelTokens'),
            embed_dim=8,
            num_layers=2,
            num_heads=2,
            head_channels=4,
        )
    ],
    model__log_variance=dict(type='LearnedLogVariance'),
)
AMP = dict(optim_wrapper__type='AutocastOptimWrapper')


@MODELS.register_module()
class LabelTokens(Tokenizer):
    """Two tokens for each label."""

    reads = ('gt_label',)
    vocab_size, max_length = 10, 2

    def __call__(self, data_samples, drop):
        labels = torch.tensor([sample.label for sample in data_samples])
        return torch.stack([labels, 9 - labels], dim=1)


@pytest.fixture
def train(build_runner, tmp_path):
    """Trains in a folder; the losses of all iterations."""

    def train(name, processes=1, **options):
        runner = build_runner(
            work_dir=str(tmp_path / name),
            train_dataloader__batch_size=4 // processes,
            **(SHARDED if processes > 1 else {}),
            **options,
        )
        runner.train()
        return runner.record.losses

    return train


def assert_close(found, expected, key='checkpoint', **tolerance):
    """Compare nests of tensors: same keys, shapes, types, near values."""
    assert type(found) is type(expected), key
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), key
        for name in expected:
            assert_close(
                found[name], expected[name], f'{key}.{name}', **tolerance
            )
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), key
        for i, pair in enumerate(zip(found, expected, strict=True)):
            assert_close(*pair, f'{key}.{i}', **tolerance)
    elif isinstance(expected, torch.Tensor):
        torch.testing.assert_close(
            found, expected, msg=lambda text: f'{key}: {text}', **tolerance
        )
    else:
        assert found == expected, key


WEIGHTS = ('state_dict', 'raw_state_dict', 'optimizer', 'ema_num_updates')
# No dropout, which differs by rank; eps: else Adam makes a whole step of a
# rounding error.
EQUAL = dict(
    model__denoiser__res_block=None, optim_wrapper__optimizer__eps=1e-3
)


def assert_same_training(found, expected, **tolerance):
    """Weights, averages and the optimizer's state of two checkpoints."""
    for checkpoint in (found, expected):
        for group in checkpoint['optimizer']['param_groups']:
            group.pop('fused')  # says how to compute, not what
    for key in WEIGHTS:
        assert_close(found[key], expected[key], key, **tolerance)


@pytest.mark.parametrize(
    'options',
    [
        DEMANDING,
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param(
            dict(model__denoiser=TRANSFORMER, **TEXT), marks=pytest.mark.slow
        ),
    ],
    ids=['demanding', 'unet', 'transformer'],
)
def test_a_sharded_training_is_that_of_one_process(
    in_two, train, end_of, options
):
    """Losses, weights, averages and optimizer, in the same form."""
    options = {**EQUAL, **options}
    expected = train('one', **options)
    found = in_two(lambda: train('two', 2, **options))
    assert found[0] == found[1]
    assert found[0] == pytest.approx(expected, rel=1e-5)
    assert_same_training(end_of('two'), end_of('one'), rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_an_adapter_of_a_sharded_denoiser(
    in_two, train, end_of, training_config, awaken, tmp_path
):
    """Frozen weights are in parts too."""
    pytest.importorskip('peft')
    model = MODELS.build({**training_config.model})
    base = str(tmp_path / 'base.pth')
    write_checkpoint(dict(state_dict=awaken(model).state_dict()), base)
    adapter = dict(type='LoRA', base=base, rank=3, target=['conv1', 'embed'])
    options = dict(**EQUAL, model__adapter=adapter)
    expected = train('one', **options)
    found = in_two(lambda: train('two', 2, **options))
    assert found[0] == pytest.approx(expected, rel=1e-5)
    assert_same_training(end_of('two'), end_of('one'), rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_bfloat16_is_that_of_one_process_with_amp(in_two, train, end_of):
    """The weights are kept, and the gradients averaged, in float32."""
    expected = train('one', **EQUAL, **AMP)
    found = in_two(lambda: train('two', 2, **EQUAL, **AMP))
    assert found[0] == pytest.approx(expected, rel=1e-2)
    one, two = end_of('one'), end_of('two')
    assert_same_training(two, one, rtol=0.1, atol=2e-3)
    assert two['raw_state_dict']['denoiser.conv_in.weight'].any()


def test_resume(in_two, train, end_of, tmp_path):
    """To the last bit in as many processes; to rounding in others."""

    def resumed(name, processes, source):
        path = str(tmp_path / source / 'iter_4.pth')
        return train(name, processes, load_from=path, resume=True, **EQUAL)

    one = train('one', **EQUAL)
    two, again, crossed = in_two(
        lambda: (
            train('two', 2, **EQUAL),
            resumed('again', 2, 'two'),
            resumed('crossed', 2, 'one'),
        )
    )[0]
    assert again == {i: two[i] for i in (4, 5)}
    assert_same_training(end_of('again'), end_of('two'), rtol=0, atol=0)
    back = resumed('back', 1, 'two')
    for losses, name in ((crossed, 'crossed'), (back, 'back')):
        expected = {i: one[i] for i in (4, 5)}
        assert losses == pytest.approx(expected, rel=1e-5)
        assert_same_training(end_of(name), end_of('one'), rtol=1e-3, atol=1e-5)


def test_each_process_holds_a_share_of_everything(in_two, build_runner):
    """Gradients are gone after a step; evaluation needs no other process."""

    def shares():
        runner = build_runner(
            train_cfg__max_iters=2, train_dataloader__batch_size=2, **SHARDED
        )
        runner.train()
        ema = next(h for h in runner.hooks if hasattr(h, 'average'))
        states = runner.optim_wrapper.optimizer.state.values()
        kinds = dict(
            weights=runner.bare_model.denoiser.parameters(),
            moments=(state['exp_avg'] for state in states),
            averages=ema.average.values(),
        )
        counts = {}
        for name, kind in kinds.items():
            kind = [*filter(is_sharded, kind)]
            counts[name] = (
                sum(own_part(tensor).numel() for tensor in kind),
                sum(tensor.numel() for tensor in kind),
            )
        before = snapshot(dict(runner.bare_model.named_parameters()))
        runner.model.eval()
        after = dict(runner.bare_model.named_parameters())
        assert not any(map(is_sharded, after.values()))
        if runner.rank == 1:
            batch = next(iter(runner.train_dataloader))
            batch = runner.bare_model.data_preprocessor(batch)
            with torch.no_grad():
                runner.bare_model(**batch, mode='loss')
        for name, weight in after.items():
            assert weight.detach().equal(before[name]), name
        runner.model.train()
        return counts

    one, two = in_two(shares)
    told = training_memory(build_runner().cfg.model.to_dict(), 2)
    held = next(share for share in told if share.name == 'averages of Adam')
    small = held.whole - 8 * one['moments'][1]  # whole in each process
    assert held.sharded == 8 * one['moments'][0] + small
    for kind in ('weights', 'moments', 'averages'):
        assert one[kind][0] + two[kind][0] >= one[kind][1]
        assert one[kind][0] == pytest.approx(one[kind][1] / 2, rel=0.02)


def test_norms_count_every_share_once(in_two):
    """Three rows of two processes, and one tensor that both have whole."""
    values = [torch.tensor([[3.0], [4.0], [12.0]]), torch.tensor([84.0])]

    def clipped():
        mesh = torch.distributed.init_device_mesh('cpu', (2,))
        place = [torch.distributed.tensor.Shard(0)]
        weights = [
            nn.Parameter(
                torch.distributed.tensor.distribute_tensor(
                    values[0], mesh, place
                )
            ),
            nn.Parameter(values[1]),
        ]
        for weight in weights:
            weight.grad = weight.detach().clone()
        grads = [weight.grad for weight in weights]
        largest = total_norm(grads, math.inf)
        norm = sharded_optimizer.clip_norm(weights, 17.0)
        shorter = [grad.clone() for grad in snapshot(grads)]
        sharded_optimizer.clip_values(weights, 1.0)
        return largest, norm, shorter, snapshot(grads)

    for largest, norm, shorter, cut in in_two(clipped):
        assert largest == 84 and norm == 85
        torch.testing.assert_close(shorter, [v / 5 for v in values])
        assert [g.flatten().tolist() for g in cut] == [
            pytest.approx([0.6, 0.8, 1]),
            [1],
        ]


def test_a_weight_may_be_used_by_one_process_only(in_two):
    """A message of other weights in each would hang, or mix them up."""

    def averaged():
        weights = [nn.Parameter(torch.zeros(n)) for n in (1, 2, 3)]
        weights[0].grad = torch.ones(1) * (1 + get_rank())
        if get_rank() == 1:
            weights[1].grad = torch.ones(2)
        average_gradients(weights)
        return [None if w.grad is None else w.grad.tolist() for w in weights]

    assert in_two(averaged) == [[[1.5], [0.5, 0.5], None]] * 2


def test_a_loss_that_is_not_finite_ends_all_processes(in_two, train, tmp_path):
    """Before a checkpoint has it."""

    def error():
        with pytest.raises(FloatingPointError) as raised:
            train('work', 2, optim_wrapper__optimizer__lr=1e30)
        return str(raised.value)

    for text in in_two(error):
        assert 'not finite' in text
    assert not [*(tmp_path / 'work').glob('iter_*.pth')]


@pytest.mark.parametrize(
    'options, text',
    [
        ({**AMP, 'optim_wrapper__dtype': 'float16'}, "set it to 'bfloat16'"),
        (dict(compile=True), 'compile is not available'),
    ],
)
def test_what_does_not_fit_is_refused(in_two, build_runner, options, text):
    def error():
        with pytest.raises(ValueError) as raised:
            build_runner(**SHARDED, **options).train()
        return str(raised.value)

    assert all(text in error for error in in_two(error))


def test_a_first_stage_is_refused(in_two, build_runner, adversarial_training):
    def error():
        with pytest.raises(ValueError) as raised:
            build_runner(**SHARDED, **adversarial_training)
        return str(raised.value)

    assert all('averages its gradients' in text for text in in_two(error))


def test_several_optimizers_are_refused():
    with pytest.raises(ValueError, match='use OptimWrapper'):
        fitted_to_shards(OptimWrapperDict())


def test_a_model_without_units_is_refused():
    with pytest.raises(ValueError, match='no trained part with shard_units'):
        ShardedModel(nn.Sequential(nn.Linear(2, 2)))
