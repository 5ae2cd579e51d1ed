"""Contents of frozen embedders that were computed beforehand.

A frozen embedder makes the same content of a sample in each epoch. A cache
has it in the field ``embedded`` of data samples, by ``PLACE.SLOT``: the
embedder's place in the conditioner, and a slot or ``tokens_mask``.
"""

from collections.abc import Iterator
from dataclasses import fields

import torch
from torch import Tensor, nn

from mmldm.structures import Condition
from mmldm.structures.ldm_data_sample import EMBEDDED
from mmldm.utils.devices import to_device
from mmldm.utils.typing import SampleList

from .embedder import Embedder
from .joining import as_condition


def frozen_embedders(conditioner: nn.Module) -> Iterator[tuple[int, Embedder]]:
    """Place and embedder of all that are not trained."""
    for place, embedder in enumerate(conditioner.embedders):
        if embedder.frozen:
            yield place, embedder


@torch.no_grad()
def contents(
    embedder: Embedder, place: int, data_samples: SampleList, drop: bool
) -> dict[str, Tensor]:
    """What an embedder makes of samples, by ``PLACE.SLOT``, on the CPU.

    Args:
        embedder: A frozen embedder.
        place: Its place in the conditioner.
        data_samples: Samples with the fields that it reads.
        drop: Give the null condition of each.
    """
    dropped = torch.full((len(data_samples),), drop)
    cond = as_condition(embedder, embedder(data_samples, dropped))
    found = {field.name: getattr(cond, field.name) for field in fields(cond)}
    return {
        f'{place}.{slot}': value.cpu()
        for slot, value in found.items()
        if value is not None
    }


def precomputed(
    embedder: Embedder, data_samples: SampleList, drop: Tensor
) -> Condition | None:
    """A batch's content from a cache; None if samples do not have it.

    Args:
        embedder: The embedder; its ``null_content`` serves dropped samples.
        data_samples: Data samples of the batch.
        drop: (B,) bool on the CPU, True for dropped samples.
    """
    null = embedder.null_content
    if null is None or not all(EMBEDDED in s for s in data_samples):
        return None
    slots = {}
    for name, nothing in null.items():
        rows = [
            nothing if dropped else sample.get(EMBEDDED)[name]
            for sample, dropped in zip(
                data_samples, drop.tolist(), strict=True
            )
        ]
        batch = to_device(torch.stack(rows), embedder.device)
        if batch.is_floating_point():
            batch = batch.to(embedder.dtype)
        slots[name.partition('.')[2]] = batch
    return Condition(**slots)
