"""A digest of everything that a data set's samples depend on."""

import hashlib
import json
import os
from typing import Any

import numpy as np

from mmldm.utils.file_stamps import file_stamp

# Names of the values of an entry that are paths end so.
PATH = '_path'


def data_digest(dataset: Any) -> str:
    """A digest of a data set's entries and of the files that they name.

    Files are told apart by size and time, parts of an archive by those of the
    archive. A pipeline is not part of it.

    Args:
        dataset: The data set; of one without ``get_data_info``, only the
            length counts.
    """
    digest = hashlib.sha256(str(len(dataset)).encode())
    if hasattr(dataset, 'get_data_info'):
        count = len(dataset) // getattr(dataset, 'samples_per_entry', 1)
        for i in range(count):
            entry = dataset.get_data_info(i)
            paths = [v for k, v in entry.items() if k.endswith(PATH)]
            stored = [file_stamp(p) if _is_path(p) else None for p in paths]
            text = json.dumps([entry, stored], default=_text, sort_keys=True)
            digest.update(text.encode())
    return digest.hexdigest()


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


def _text(value: Any) -> str:
    """A value that JSON does not know, with all its content."""
    if isinstance(value, np.ndarray):
        value = (value.dtype.str, value.shape, value.tobytes())
    return repr(value)
