"""Parameters, operations and memory of a model, without its weights."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    FakeTensorMode,
    unset_fake_temporarily,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

from mmldm.diffusion.guidance import Guidance
from mmldm.models.editors import complete_model
from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.structures import Condition
from mmldm.utils.model_size import bounded_networks

Shape = Sequence[int]


def _attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any):
    """Operations of an attention."""
    return sdpa_flop_count(query, key, value)


def _attention_backward(
    grad: Shape, query: Shape, key: Shape, value: Shape, *_: Any, **__: Any
):
    """Operations of its backward pass."""
    return sdpa_backward_flop_count(grad, query, key, value)


# torch does not count its own attention on a CPU.
_aten = torch.ops.aten
CPU_ATTENTION = {
    _aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    _aten._scaled_dot_product_flash_attention_for_cpu_backward: (
        _attention_backward
    ),
}
# Attributes of embedders and tokenizers that are their number of tokens.
TOKENS = ('max_length', 'max_objects')


@dataclass(frozen=True)
class Cost:
    """What a network, or a part of it, costs.

    Args:
        name: What is run.
        parameters: Number of parameters; None where they count elsewhere.
        operations: Floating-point operations of matrix products,
            convolutions and attention, a multiplication and an addition being
            two; None if it is not run.
        memory: Bytes of the largest set of tensors that exist at a time,
            without the weights; None if it is not run.
    """

    name: str
    parameters: int | None
    operations: int | None
    memory: int | None


def model_costs(
    model: Mapping[str, Any],
    size: Sequence[int],
    batch_size: int = 1,
    tokens: int | None = None,
) -> list[Cost]:
    """The costs of a latent diffusion model, or of a first stage.

    Only shapes are computed, which needs neither weights nor memory.

    Args:
        model: Config of the editor, with its first stage.
        size: Height and width of the images, pixels.
        batch_size: Images at a time.
        tokens: Tokens of the condition; None for what the config says.

    Returns:
        Encoding and decoding; for a latent diffusion model also the
        conditioner, one evaluation of the denoiser, a whole sample, and a
        training step.
    """
    model = complete_model(model)
    count = evaluations(model) if 'denoiser' in model else 0
    with FakeTensorMode(allow_non_fake_inputs=True):
        return _costs(model, size, batch_size, tokens, count)


def _costs(
    model: Mapping[str, Any],
    size: Sequence[int],
    batch_size: int,
    tokens: int | None,
    num_evaluations: int,
) -> list[Cost]:
    first_stage = _built(model['autoencoder']).eval()
    image = torch.empty(batch_size, 3, *size)
    z = torch.empty_like(encoded(first_stage, image))
    costs = _first_stage_costs(first_stage, image, z)
    if 'denoiser' not in model:
        return costs
    denoiser = _built(model['denoiser']).eval()
    conditioner = _built(model['conditioner'])
    count = tokens or token_count(conditioner)
    inputs = denoiser_inputs(denoiser, z, count)
    evaluation = measure('denoiser', denoiser, lambda: denoiser(*inputs))
    step = measure_training(denoiser, inputs)
    return [
        *costs,
        Cost('conditioner', parameter_count(conditioner), None, None),
        evaluation,
        whole_sample(num_evaluations, costs[1], evaluation),
        Cost(
            'training step',
            None,
            costs[0].operations + step.operations,
            max(costs[0].memory, step.memory),
        ),
    ]


def _first_stage_costs(
    first_stage: nn.Module, image: Tensor, z: Tensor
) -> list[Cost]:
    """The costs of encoding and of decoding."""

    def encode() -> None:
        encoded(first_stage, image)

    def decode() -> None:
        first_stage.decode(z)

    return [
        measure('first stage: encode', first_stage, encode),
        replace(
            measure('first stage: decode', first_stage, decode),
            parameters=None,
        ),
    ]


def _built(config: Mapping[str, Any]) -> nn.Module:
    """A network without values, which believes to be on a CPU."""
    with (
        unset_fake_temporarily(),
        torch.device('meta'),
        bounded_networks('meta'),
    ):
        network = MODELS.build(dict(config))
    return network.to_empty(device='cpu').eval()


def encoded(first_stage: nn.Module, image: Tensor) -> Tensor:
    """Latents of images, with posterior noise that is zero."""
    with torch.no_grad():
        return first_stage.encode(image, torch.zeros_like)


def token_count(conditioner: nn.Module) -> int:
    """Tokens that a conditioner's embedders give together."""
    return sum(map(_tokens_of, conditioner.embedders))


def _tokens_of(embedder: nn.Module) -> int:
    """Its most tokens; 1 for a class."""
    for part in (embedder, getattr(embedder, 'tokenizer', None)):
        for key in TOKENS:
            if count := getattr(part, key, None):
                return count
    return 1


def denoiser_inputs(
    denoiser: nn.Module, z: Tensor, tokens: int
) -> tuple[Tensor, Tensor, Condition]:
    """Inputs of a denoiser that fit it."""
    batch = len(z)
    spatial = denoiser.in_channels - z.shape[1]
    condition = Condition(
        vector=_empty(denoiser.vector_dim, batch),
        tokens=_empty(denoiser.context_dim, batch, tokens),
        spatial=z.new_empty(batch, spatial, *z.shape[2:]) if spatial else None,
    )
    return z, torch.empty(batch), condition


def _empty(channels: int | None, *shape: int) -> Tensor | None:
    if channels is None:
        return None
    return torch.empty(*shape, channels)


def measure(name: str, network: nn.Module, run: Callable) -> Cost:
    """The cost of a call without gradients."""
    with torch.no_grad():
        return _measured(name, network, run)


def measure_training(denoiser: nn.Module, inputs: tuple) -> Cost:
    """The cost of a forward and a backward pass."""
    return _measured(
        'step', denoiser, lambda: denoiser(*inputs).sum().backward()
    )


def _measured(name: str, network: nn.Module, run: Callable) -> Cost:
    with PeakMemory(network) as peak, _counter() as counter:
        run()
    operations = counter.get_total_flops()
    return Cost(name, parameter_count(network), operations, peak.most)


def _counter() -> FlopCounterMode:
    return FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION)


def parameter_count(network: nn.Module) -> int:
    """Number of parameters, those that are shared once."""
    return sum(p.numel() for p in network.parameters())


def whole_sample(count: int, decoding: Cost, evaluation: Cost) -> Cost:
    """All evaluations of sampling, and decoding."""
    return Cost(
        f'sample, {count} evaluations',
        None,
        count * evaluation.operations + decoding.operations,
        max(decoding.memory, evaluation.memory),
    )


def evaluations(model: Mapping[str, Any]) -> int:
    """Evaluations of the denoiser for one image, those of guidance too."""
    scheduler = DIFFUSION_SCHEDULERS.build(dict(model['diffusion_scheduler']))
    guidance: Guidance = DIFFUSION_SCHEDULERS.build(dict(model['guidance']))
    count = 0

    def predict(z_t: Tensor, *_: Any, **__: Any) -> Tensor:
        nonlocal count
        count += len(z_t)
        return z_t

    cond, null = (Condition(vector=torch.zeros(1, 1)) for _ in range(2))
    denoise = guidance.on(scheduler.prediction)(predict, cond, null)
    start = torch.ones(1, 1, 1, 1)
    scheduler.solver(denoise, start, scheduler.levels(), torch.zeros_like)
    return count


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of tensors that are made inside the context.

    Args:
        network: A network whose weights do not count.

    Attributes:
        most: The greatest number of bytes at a time.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.most = self._now = 0
        weights = [*network.parameters(), *network.buffers()]
        self._known = {w.untyped_storage()._cdata for w in weights}

    def __torch_dispatch__(
        self, func: Callable, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operator, and count what it returns."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        self._now += storage.nbytes()
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._free, key, storage.nbytes())

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size
