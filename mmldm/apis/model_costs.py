"""Parameters, operations and memory of a model, without its weights."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    FakeTensorMode,
    unset_fake_temporarily,
)

from mmldm.diffusion.guidance import Guidance
from mmldm.models.editors import complete_model
from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.structures import Condition
from mmldm.utils.model_size import bounded_networks

from .measured_costs import (
    Cost,
    measure,
    measure_training,
    parameter_count,
)

# Attributes of embedders and tokenizers that are their number of tokens.
TOKENS = ('max_length', 'max_objects')


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
