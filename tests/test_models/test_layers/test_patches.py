import pytest
import torch
import torch.nn.functional as F

from mmldm.models.layers import patchify, unpatchify


@pytest.mark.parametrize('patch_size', [1, 2, 4])
def test_unpatchify_is_the_inverse_of_patchify(patch_size):
    x = torch.randn(2, 3, 8, 12)
    grid = 8 // patch_size, 12 // patch_size
    tokens = patchify(x, patch_size)
    assert tokens.shape[1] == grid[0] * grid[1]
    assert torch.equal(unpatchify(tokens, grid, patch_size), x)


def test_a_token_is_a_patch_in_the_order_of_a_convolution():
    """Row by row, so that its weights are a linear layer's."""
    x, weight = torch.randn(2, 3, 4, 6), torch.randn(5, 3, 2, 2)
    expected = F.conv2d(x, weight, stride=2).flatten(2).transpose(1, 2)
    found = patchify(x, 2) @ weight.flatten(1).T
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
