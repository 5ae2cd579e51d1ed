import pytest
import torch

from mmldm.structures import Condition


def test_two_batches_become_one_slot_by_slot():
    first = Condition(vector=torch.zeros(2, 3), spatial=torch.zeros(2, 4, 4))
    second = Condition(vector=torch.ones(1, 3), spatial=torch.ones(1, 4, 4))
    both = Condition.cat(first, second)
    assert both.vector[:, 0].tolist() == [0, 0, 1]
    assert both.spatial[:, 0, 0].tolist() == [0, 0, 1]
    assert both.tokens is None and both.tokens_mask is None


def test_three_batches_become_one():
    parts = [Condition(vector=torch.full((1, 2), float(i))) for i in range(3)]
    assert Condition.cat(*parts).vector[:, 0].tolist() == [0, 1, 2]


def filled(slot, value):
    values = torch.full((1, 2), value)
    return values.bool() if slot == 'tokens_mask' else values


def test_slots_are_taken_from_another():
    names = ('vector', 'tokens', 'tokens_mask', 'spatial')
    zeros, ones = (
        Condition(**{name: filled(name, v) for name in names})
        for v in (0.0, 1.0)
    )

    def taken(*slots):
        mixed = zeros.with_slots_of(ones, slots)
        return [name for name in names if getattr(mixed, name).any()]

    assert taken() == []
    assert taken('spatial') == ['spatial']
    assert taken('tokens', 'vector') == ['vector', 'tokens', 'tokens_mask']


def test_filled_slots_are_named():
    condition = Condition(spatial=torch.ones(1), vector=torch.ones(1))
    assert condition.filled == ('vector', 'spatial')


def test_empty_conditions_stay_empty():
    assert Condition.cat(Condition(), Condition()) == Condition()


@pytest.mark.parametrize(
    'slot', ['vector', 'tokens', 'tokens_mask', 'spatial']
)
def test_a_slot_filled_on_one_side_is_refused_by_name(slot):
    one = Condition(**{slot: filled(slot, 0.0)})
    for pair in ((one, Condition()), (Condition(), one)):
        with pytest.raises(ValueError, match=f"slot '{slot}'"):
            Condition.cat(*pair)


@pytest.mark.parametrize('dtype', [torch.float32, torch.int64])
def test_a_mask_of_numbers_is_refused(dtype):
    """Attention would add floats to its logits."""
    with pytest.raises(ValueError, match='give mask.bool'):
        Condition(tokens_mask=torch.ones(1, 2, dtype=dtype))
