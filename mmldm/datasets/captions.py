"""Captions in tables, and what all captions must be."""

from collections.abc import Collection, Mapping
from pathlib import Path
from posixpath import normpath

from mmldm.registry import DATASETS

from .annotations import Annotations, Fields
from .text_files import read_table


@DATASETS.register_module()
class Captions(Annotations):
    """``captions`` of a table: JSON lines, CSV or TSV with a header.

    A line names an image and a caption, or in JSON a list of them; an image
    may have several lines. ``ChooseCaption`` takes one.

    Args:
        file: Path below the data set's folder, ending in ``.jsonl``,
            ``.csv`` or ``.tsv``.
        image_key: Key or column of the image's name.
        caption_key: Key or column of the caption.
    """

    def __init__(
        self,
        file: str,
        image_key: str = 'file_name',
        caption_key: str = 'caption',
    ) -> None:
        self.file = file
        self.keys = image_key, caption_key

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        found: Fields = {}
        for place, row in read_table(Path(root) / self.file, 'Captions.file'):
            for key in self.keys:
                if key not in row:
                    raise ValueError(
                        f'{place} has no {key!r}: it has '
                        f'{", ".join(map(repr, row)) or "nothing"}; set '
                        'image_key and caption_key of Captions'
                    )
            name, captions = (row[key] for key in self.keys)
            name = check_image(name, images, place)
            captions = [captions] if isinstance(captions, str) else captions
            texts = found.setdefault(name, dict(captions=[]))['captions']
            texts += check_captions(captions, place)
        return found


def check_image(name: object, known: Collection[str], place: str) -> str:
    """The image's name as it is known: 'a.png' for './a.png'.

    Raises:
        ValueError: If there is no such image.
    """
    short = normpath(name) if isinstance(name, str) else name
    if not isinstance(name, str) or short not in known:
        example = f', such as {next(iter(known))}' if known else ''
        raise ValueError(
            f'{place} names the image {name!r}, which is not there: give '
            f'paths below the folder of the images{example}'
        )
    return short


def check_captions(captions: object, place: str) -> list[str]:
    """Captions without space around them.

    Raises:
        ValueError: If there is none, or one is empty or no text.
    """
    if not isinstance(captions, list) or not captions:
        raise ValueError(
            f'{place} has the caption {captions!r}, but must have a text or '
            'a list of some'
        )
    for text in captions:
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                f'{place} has the caption {text!r}, which is no text'
            )
    return [text.strip() for text in captions]
