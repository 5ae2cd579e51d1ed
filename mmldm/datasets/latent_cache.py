"""Files of a latent cache.

``manifest.json`` says what the cache was made from. ``part-00000.safetensors``
and so on hold the moments of some entries, (n, V, M, h, w), and their fields:
maps as tensors, everything else as JSON. V is 2 if entries have a mirrored
version. They also hold what frozen embedders make of an entry, (n, 1, ...) if
all versions have the same, and ``nulls.safetensors`` what they make of a
dropped one.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from mmldm.structures.ldm_data_sample import EMBEDDED
from mmldm.utils.mapped_tensors import mapped_tensors, packed, unpacked
from mmldm.utils.nested import unequal
from mmldm.utils.whole_files import written_whole

from .cache_parts import CacheParts

MANIFEST = 'manifest.json'
NULLS = 'nulls.safetensors'
FORMAT = 2
MOMENTS = 'moments'
FIELD = 'field.'
CONTENT = f'{EMBEDDED}.'


def write_manifest(root: Path, manifest: Mapping[str, Any]) -> None:
    """Write what a cache is made from; an equal one may exist.

    Raises:
        ValueError: If the folder has a cache of something else.
    """
    root.mkdir(parents=True, exist_ok=True)
    text = json.dumps({'format': FORMAT, **manifest}, indent=1)
    file = root / MANIFEST
    if file.exists():
        other = difference(_read_json(file), json.loads(text))
        if other is not None:
            raise ValueError(
                f'{root} has another cache: {other}: give a new folder'
            )
        return
    with written_whole(file) as open_file:
        open_file.write(text.encode())


def read_manifest(root: Path) -> dict[str, Any]:
    """What a cache was made from.

    Raises:
        FileNotFoundError: If there is no cache, or it is not complete.
        ValueError: If it is no manifest of this version.
    """
    file = root / MANIFEST
    how = 'make it by tools/cache_latents.py CONFIG FOLDER'
    if not file.is_file():
        raise FileNotFoundError(f'{root} has no {MANIFEST}: {how}')
    manifest = _read_json(file)
    if manifest.get('format') != FORMAT:
        raise ValueError(
            f'{file} has format {manifest.get("format")}, this version reads '
            f'{FORMAT}: {how} anew'
        )
    count = len(CacheParts(manifest))
    missing = [n for n in range(count) if not part_file(root, n).exists()]
    if missing:
        raise FileNotFoundError(
            f'{root} lacks {len(missing)} of {count} parts, '
            f'such as {part_file(root, missing[0]).name}: {how}, which goes on'
        )
    return manifest


def _read_json(file: Path) -> dict[str, Any]:
    """The content of a manifest.

    Raises:
        ValueError: If it is none.
    """
    try:
        manifest = json.loads(file.read_text())
    except ValueError as error:
        manifest = error
    if not isinstance(manifest, dict):
        raise ValueError(
            f'{file} is not a manifest: remove its folder, and make it anew '
            'by tools/cache_latents.py CONFIG FOLDER'
        )
    return manifest


def difference(stored: Any, wanted: Any) -> str | None:
    """The first key in which two plain values differ, in words."""
    for path, there, here in unequal(stored, wanted):
        return f'{path}={there!r:.80} there, {here!r:.80} here'
    return None


def part_file(root: Path, number: int) -> Path:
    """The file of a part."""
    return root / f'part-{number:05}.safetensors'


def write_nulls(root: Path, nulls: Mapping[str, Tensor]) -> None:
    """Write what frozen embedders make of a dropped entry."""
    with written_whole(root / NULLS) as file:
        file.write(save({k: v.contiguous() for k, v in nulls.items()}))


def read_nulls(root: Path) -> dict[str, Tensor]:
    """See :func:`write_nulls`."""
    return load_file(root / NULLS)


def write_part(
    path: Path,
    moments: Tensor,
    fields: Sequence[Mapping[str, Any]],
    embedded: Mapping[str, Tensor],
) -> None:
    """Write a part, whole or not at all.

    Args:
        path: The file.
        moments: Those of n entries in V versions, (n, V, M, h, w).
        fields: The fields of each, n V mappings; a field's tensors have one
            shape.
        embedded: What frozen embedders make of them, (n, V, ...) each.

    Raises:
        ValueError: If the tensors of a field have several shapes.
    """
    count, versions = moments.shape[:2]
    tensors = {MOMENTS: moments.contiguous()}
    for name, values in embedded.items():
        same = all(values[:, :1].equal(v) for v in values.split(1, 1))
        values = values[:, :1] if same else values
        tensors[CONTENT + name] = values.contiguous()
    names = [k for k, v in fields[0].items() if isinstance(v, Tensor)]
    for name in names:
        values = _stacked(name, [field[name] for field in fields])
        tensors[FIELD + name] = values.unflatten(0, (count, versions))
    tensors |= packed(
        {k: v for k, v in field.items() if k not in names} for field in fields
    )
    with written_whole(path) as file:
        file.write(save(tensors))


def _stacked(name: str, values: Sequence[Tensor]) -> Tensor:
    """The tensors of a field as one."""
    shapes = sorted({tuple(value.shape) for value in values})
    if len(shapes) > 1:
        raise ValueError(
            f'the field {name} has several shapes, such as {shapes[0]} and '
            f'{shapes[-1]}, which cannot be cached: give all entries one, or '
            'train without a cache'
        )
    return torch.stack([*values])


def read_entry(
    path: Path, row: int, version: int, versions: int
) -> tuple[Tensor, dict[str, Any]]:
    """Moments (M, h, w) and fields of an entry.

    Args:
        path: File of its part.
        row: Its place in the part.
        version: 1 for the mirrored version.
        versions: Number of versions.
    """
    part = mapped_tensors(path)

    def values(start: str) -> dict[str, Tensor]:
        found = {}
        for name in [*part.keys()]:
            if name.startswith(start):
                stored = part.get_slice(name)
                place = min(version, stored.get_shape()[1] - 1)
                own = stored[row : row + 1, place : place + 1][0, 0]
                found[name.removeprefix(start)] = own
        return found

    fields = unpacked(part, row * versions + version)
    fields |= values(FIELD)
    embedded = values(CONTENT)
    if embedded:
        fields[EMBEDDED] = embedded
    return values(MOMENTS)[''], fields
