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


def test_empty_conditions_stay_empty():
    assert Condition.cat(Condition(), Condition()) == Condition()


@pytest.mark.parametrize(
    'slot', ['vector', 'tokens', 'tokens_mask', 'spatial']
)
def test_a_slot_filled_on_one_side_is_refused_by_name(slot):
    filled = Condition(**{slot: torch.zeros(1, 2)})
    for pair in ((filled, Condition()), (Condition(), filled)):
        with pytest.raises(ValueError, match=f"slot '{slot}'"):
            Condition.cat(*pair)
