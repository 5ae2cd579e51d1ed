"""Files of data as people have them."""

import io
import os
import tarfile

from PIL import Image

from mmldm.datasets import ImageFolder, ImageShards
from mmldm.datasets.transforms import LoadImage

SMALL = Image.new('RGB', (8, 8), (10, 20, 30))


def save(path, image=SMALL, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def load(root, *annotations, **kwargs):
    # Serializing collects garbage: half a second a dataset.
    return ImageFolder(
        str(root),
        pipeline=[LoadImage()],
        annotations=annotations,
        serialize_data=False,
        **kwargs,
    )


def names(dataset, root):
    return [os.path.relpath(s['img_path'], root) for s in dataset]


def one_line(told, *words):
    """The level of the one line that has all words."""
    ((level, _),) = [
        line for line in told if all(word in line[1] for word in words)
    ]
    return level


def shard(path, **files):
    """A tar file; of names, '__' is a dot."""
    with tarfile.open(path, 'w') as tar:
        for name, content in files.items():
            content = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name.replace('__', '.'))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def png(level=1):
    file = io.BytesIO()
    Image.new('RGB', (4, 2), (level, 0, 0)).save(file, 'PNG')
    return file.getvalue()


def load_shards(root, **kwargs):
    return ImageShards(
        str(root), pipeline=[LoadImage()], serialize_data=False, **kwargs
    )
