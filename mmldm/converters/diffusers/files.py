"""Files in folders of diffusers: JSON and weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from mmldm.utils.checkpoint import read_checkpoint, weights_of
from mmldm.utils.whole_files import written_whole

PIPELINE = 'model_index.json'
CONFIG = 'config.json'
SCHEDULER = 'scheduler_config.json'
# File names of weights without suffix, in diffusers and in transformers.
STEMS = ('diffusion_pytorch_model', 'model', 'pytorch_model')
SUFFIXES = ('safetensors', 'bin')


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is no JSON, or no dict.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist')
    try:
        content = json.loads(path.read_bytes(), parse_int=_whole_number)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is not valid JSON ({error})') from error
    if not isinstance(content, dict):
        raise ValueError(f'{path} holds no dict of settings')
    return content


def _whole_number(text: str) -> int:
    """An integer in JSON; numbers beyond 64 bits fit no network."""
    value = int(text)
    if abs(value) >= 2**63:
        raise ValueError(f'a whole number of {len(text)} digits')
    return value


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The weights in a folder, by name; nothing in a file is executed.

    Preferred are safetensors over ``.bin``, and full precision over a variant
    such as ``.fp16``; in one file, or several with an index.

    Raises:
        FileNotFoundError: If there are none.
        ValueError: If a file is truncated or does not hold weights.
    """
    for pattern in ('{}.{}', '{}.{}.index.json', '{}.*.{}'):
        for suffix in SUFFIXES:
            for stem in STEMS:
                for path in sorted(folder.glob(pattern.format(stem, suffix))):
                    if path.suffix == '.json':
                        return _read_shards(path)
                    return weights_of(read_checkpoint(path))
    raise FileNotFoundError(
        f'{folder} has no weights: {STEMS[0]}.safetensors or .bin, or for a '
        f'text encoder {STEMS[1]}.safetensors or {STEMS[2]}.bin'
    )


def _read_shards(index: Path) -> dict[str, Tensor]:
    """Weights of the files that an index names, in the same folder."""
    places = read_json(index).get('weight_map')
    names = set(places.values()) if isinstance(places, Mapping) else set()
    if not names or any(Path(name).name != name for name in names):
        raise ValueError(
            f'{index} has no weight_map of files that lie beside it'
        )
    weights = {}
    for name in sorted(names):
        weights |= weights_of(read_checkpoint(index.parent / name))
    return weights


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file completely or not at all; create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=2) + '\n'
    with written_whole(path) as file:
        file.write(text.encode())


def write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write a ``.safetensors`` file completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        # transformers rejects files without the format.
        file.write(save(dict(weights), {'format': 'pt'}))
