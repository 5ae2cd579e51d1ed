"""torch.compile of blocks: same results, same names, few graphs."""

import copy

import pytest
import torch
from torch import nn

from mmldm.models.denoisers import DenoisingUNet, DiffusionTransformer
from mmldm.models.layers import (
    compilable_blocks,
    compile_blocks,
    compiled_copy,
)
from mmldm.structures import Condition


class Graphs:
    """A backend of torch.compile that counts graphs and runs them as given."""

    count = 0

    def __call__(self, graph, inputs):
        self.count += 1
        return graph.forward


@pytest.fixture
def graphs():
    torch.compiler.reset()
    yield Graphs()
    torch.compiler.reset()


def unet(**options):
    network = DenoisingUNet(
        *(3, 3, 64),
        channel_mults=(1, 1),
        num_res_blocks=1,
        attn_factors=(),
        **options,
    )
    for weight in network.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.02)
    return network


def output(network, height, width):
    z = torch.linspace(-1, 1, 6 * height * width).view(2, 3, height, width)
    return network(z, torch.tensor([3.0, 7.0]), Condition())


def test_compiled_blocks_train_as_before_at_any_size(graphs):
    """With checkpointing and odd sizes; the names of weights stay too."""
    network = unet(checkpointing=True, channels_last=True)
    plain = copy.deepcopy(network)
    compile_blocks(network, backend=graphs, fullgraph=True)
    assert [*network.state_dict()] == [*plain.state_dict()]
    for size in ((4, 4), (7, 5)):
        found, wanted = output(network, *size), output(plain, *size)
        torch.testing.assert_close(found, wanted)
        found.square().mean().backward()
        wanted.square().mean().backward()
    weights = zip(network.parameters(), plain.parameters(), strict=True)
    for weight, other in weights:
        torch.testing.assert_close(weight.grad, other.grad)
    count = graphs.count
    output(network, 4, 4)
    output(network, 9, 12)  # the second size has made sizes variable
    assert graphs.count == count


def test_equal_blocks_of_a_list_share_code(graphs):
    network = DiffusionTransformer(
        3, 3, channels=16, num_layers=4, num_heads=2
    )
    assert [*compilable_blocks(network)] == [f'blocks.{i}' for i in range(4)]
    compile_blocks(network, backend=graphs)
    output(network, 4, 4)
    assert graphs.count == 1


def test_a_copy_of_a_compiled_network_has_its_own_weights(graphs):
    network = unet()
    compile_blocks(network, backend=graphs)
    other = copy.deepcopy(network)
    before = output(network, 4, 4)
    with torch.no_grad():
        other.mid[0].res.conv1.weight.mul_(2)
    torch.testing.assert_close(output(network, 4, 4), before)
    assert not torch.allclose(output(other, 4, 4), before)


def test_a_compiled_copy_shares_weights_and_leaves_the_network(graphs):
    network = unet()
    compiled = compiled_copy(network, backend=graphs)
    with torch.no_grad():
        network.mid[0].res.conv1.weight.mul_(2)
    wanted = output(network, 4, 4)
    assert not graphs.count
    torch.testing.assert_close(output(compiled, 4, 4), wanted)
    assert graphs.count


def test_hooks_of_a_compiled_block_are_called(graphs):
    network, seen = unet(), []
    compile_blocks(network, backend=graphs)
    network.mid[0].res.register_forward_hook(
        lambda module, args, out: seen.append(out)
    )
    output(network, 4, 4)
    output(network, 4, 4)
    assert len(seen) == 2


class Foreign(nn.Linear):
    def forward(self, x):
        return super().forward(x).sin().cos()


def test_a_network_without_blocks_is_compiled_whole(graphs):
    network = Foreign(2, 2)
    compile_blocks(network, backend=graphs)
    network(torch.ones(1, 2))
    assert graphs.count == 1
