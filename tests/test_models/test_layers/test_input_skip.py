"""What goes around a network's norms."""

import torch

from mmldm.models.layers import InputSkip


def test_channels_are_mixed_as_each_embedding_says(awaken):
    input_skip = awaken(InputSkip(in_channels=3, out_channels=2, embed_dim=4))
    x, embedding = torch.randn(5, 3, 4, 6), torch.randn(5, 4)
    weights = (
        torch.nn.functional.silu(embedding) @ input_skip.matrix[1].weight.T
    )
    weights = (weights + input_skip.matrix[1].bias).view(5, 2, 3)
    torch.testing.assert_close(
        input_skip(x, embedding), torch.einsum('boi,bihw->bohw', weights, x)
    )


def test_nothing_goes_there_at_first():
    out = InputSkip(3, 2, 4)(torch.randn(1, 3, 4, 4), torch.randn(1, 4))
    assert out.shape == (1, 2, 4, 4)
    assert not out.any()


def test_autocast_leaves_it_alone(awaken):
    input_skip = awaken(InputSkip(3, 2, 4))
    x, embedding = torch.randn(5, 3, 4, 4), torch.randn(5, 4)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = input_skip(x, embedding)
    assert torch.equal(out, input_skip(x, embedding))


def test_it_works_in_the_precision_of_its_weights(awaken):
    input_skip = awaken(InputSkip(3, 2, 4)).half()
    out = input_skip(torch.randn(1, 3, 4, 4), torch.randn(1, 4).half())
    assert out.dtype == torch.half
