"""What goes around a network's norms."""

import torch

from mmldm.models.layers import Bypass


def test_channels_are_mixed_as_each_embedding_says(awaken):
    bypass = awaken(Bypass(in_channels=3, out_channels=2, embed_dim=4))
    x, embedding = torch.randn(5, 3, 4, 6), torch.randn(5, 4)
    weights = torch.nn.functional.silu(embedding) @ bypass.matrix[1].weight.T
    weights = (weights + bypass.matrix[1].bias).view(5, 2, 3)
    torch.testing.assert_close(
        bypass(x, embedding), torch.einsum('boi,bihw->bohw', weights, x)
    )


def test_nothing_goes_there_at_first():
    out = Bypass(3, 2, 4)(torch.randn(1, 3, 4, 4), torch.randn(1, 4))
    assert out.shape == (1, 2, 4, 4)
    assert not out.any()


def test_autocast_leaves_it_alone(awaken):
    bypass = awaken(Bypass(3, 2, 4))
    x, embedding = torch.randn(5, 3, 4, 4), torch.randn(5, 4)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = bypass(x, embedding)
    assert torch.equal(out, bypass(x, embedding))


def test_it_works_in_the_precision_of_its_weights(awaken):
    bypass = awaken(Bypass(3, 2, 4)).half()
    out = bypass(torch.randn(1, 3, 4, 4), torch.randn(1, 4).half())
    assert out.dtype == torch.half
