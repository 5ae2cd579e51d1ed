"""Search for similar images, for retrieval-augmented models.

Blattmann et al. 2022 (arXiv:2204.11824): CLIP embeddings, exact search.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from mmldm.datasets.image_files import read_image
from mmldm.datasets.image_search import sound_images
from mmldm.datasets.report import DataReport
from mmldm.models.conditioners import ImageEncoder
from mmldm.models.conditioners.pretrained_tokens import ClipTokens
from mmldm.utils import check_count
from mmldm.utils.checkpoint import as_hex
from mmldm.utils.hub import default_attention, first_line, from_hub

from .image_index import ImageIndex, read_index

# Number of queries whose similarities are in memory at a time.
ROWS = 256


def list_images(folder: str) -> list[str]:
    """Paths of a folder's readable images, sorted; log what is left out.

    Raises:
        ValueError: If there are no images.
    """
    return sound_images(folder, DataReport(folder))


def embed_files(
    paths: Sequence[str], encoder: ImageEncoder, batch_size: int
) -> Tensor:
    """Embed image files: (N, C), norm 1, on the CPU."""
    rows = []
    for start in tqdm(range(0, len(paths), batch_size), desc='embedding'):
        batch = paths[start : start + batch_size]
        rows.append(encoder.embed([read_image(path) for path in batch]).cpu())
    return torch.cat(rows)


def make_index(
    folder: str,
    paths: Sequence[str],
    embeddings: Tensor,
    encoder: ImageEncoder,
) -> ImageIndex:
    """The index of images below ``folder`` embedded by ``encoder``."""
    names = [Path(path).relative_to(folder).as_posix() for path in paths]
    return ImageIndex(
        embeddings,
        names,
        str(encoder.pretrained),
        as_hex(encoder.network_hash),
    )


def nearest(
    queries: Tensor, database: Tensor, num: int, same: bool = False
) -> Tensor:
    """Indices (N, num) into the database, the most similar first.

    Args:
        queries: Norm 1, (N, C).
        database: Norm 1, (M, C).
        num: Number of neighbours.
        same: Queries and database are the same images, and an image is not
            its own neighbour.
    """
    found = []
    for start in range(0, len(queries), ROWS):
        likeness = queries[start : start + ROWS] @ database.T
        if same:
            rows = torch.arange(len(likeness))
            likeness[rows, start + rows] = -torch.inf
        found.append(likeness.topk(num).indices)
    return torch.cat(found)


class Retriever:
    """Gives retrieval-augmented models a query and its neighbours.

    Args:
        path: Path of the index of the images.
        num: Number of neighbours of a query.
        dim: Number of channels that the model reads.
        encoder: Folder or name of the CLIP model; None for the one that the
            index names.
        device: Device of the encoder.

    Raises:
        FileNotFoundError: If the index is missing.
        ValueError: If the index has fewer than ``num`` images, not ``dim``
            channels, or comes from another encoder, or if the encoder is not
            available.
    """

    def __init__(
        self,
        path: str,
        num: int,
        dim: int,
        encoder: str | None = None,
        device: str | torch.device = 'cpu',
    ) -> None:
        check_count('num_neighbours', num)
        index = read_index(path)
        size, channels = index.embeddings.shape
        if num > size:
            raise ValueError(
                f'num_neighbours={num}, but the index {path} has {size} '
                f'images: set num_neighbours={size} or lower'
            )
        if channels != dim:
            raise ValueError(
                f'the index {path} has embeddings of {channels} channels, but '
                f'the model reads {dim}: make one with the encoder of the '
                "model's training"
            )
        self.index, self.num = index, num
        self.source = index.encoder if encoder is None else encoder
        self.device = device
        self.encoder = ImageEncoder(pretrained=self.source).to(device)
        if as_hex(self.encoder.network_hash) != index.digest:
            raise ValueError(
                f'the index {path} was made with {index.encoder}, whose '
                f'weights differ from those of the encoder {self.source}: '
                'give that encoder, or make the index again'
            )

    def of_images(self, images: Sequence[np.ndarray]) -> Tensor:
        """Queries and their neighbours, (N, 1 + num, C), norm 1.

        Args:
            images: The queries, uint8 RGB (H, W, 3).
        """
        return self._with_neighbours(self.encoder.embed(images).cpu())

    def of_texts(self, texts: Sequence[str]) -> Tensor:
        """Queries and their neighbours; see :meth:`of_images`.

        Raises:
            ValueError: If the encoder reads no text.
        """
        return self._with_neighbours(
            _embed_texts(self.source, texts, self.device)
        )

    def names(self, features: Tensor) -> list[str]:
        """Paths of the neighbours in (1 + num, C), the most similar first."""
        rows = nearest(features[:1], self.index.embeddings, self.num)[0]
        return [self.index.paths[row] for row in rows]

    def _with_neighbours(self, queries: Tensor) -> Tensor:
        database = self.index.embeddings
        rows = nearest(queries, database, self.num)
        return torch.cat([queries[:, None], database[rows]], dim=1)


def retrieve(
    retriever: Retriever,
    texts: Sequence[str] | None,
    images: Sequence[str] | None,
) -> dict[str, Tensor]:
    """``features`` of every text, or every image, by the query.

    Args:
        retriever: Retriever of the index.
        texts: The queries; None to use ``images``.
        images: Paths of image files, the queries if ``texts`` is None.
    """
    if texts is not None:
        found = retriever.of_texts(texts)
    else:
        found = retriever.of_images([read_image(path) for path in images])
    return dict(zip(texts or images, found, strict=True))


@torch.no_grad()
def _embed_texts(
    source: str, texts: Sequence[str], device: str | torch.device
) -> Tensor:
    """Embed texts: (N, C), norm 1, on the CPU."""
    from transformers import CLIPTextModelWithProjection  # takes seconds

    load = partial(
        CLIPTextModelWithProjection.from_pretrained,
        output_loading_info=True,
        attn_implementation=default_attention(CLIPTextModelWithProjection),
    )
    try:
        model, report = from_hub(load, source)
    except Exception as error:
        raise ValueError(
            f'the encoder {source} has no text model of CLIP '
            f'({first_line(error)}): give the folder of a whole CLIP model, '
            'or an image'
        ) from error
    if report['missing_keys']:
        raise ValueError(
            f'the encoder {source} has no text model of CLIP: give the '
            'folder of a whole CLIP model, or an image'
        )
    tokenizer = ClipTokens(source, model.config.max_position_embeddings)
    ids = tokenizer.ids(texts).to(device)
    embeds = model.float().eval().to(device)(ids).text_embeds
    return F.normalize(embeds, dim=-1).cpu()
