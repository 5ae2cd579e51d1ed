"""Search for the images of a folder, and for files taken for images."""

import os
import stat

from PIL import Image

from .file_search import files_below
from .image_checks import Stored, look_at_all
from .image_formats import SUFFIXES
from .report import DataReport

# Message about damaged images, and its remedy.
CANNOT_READ = 'images cannot be read and are left out'
DELETE = 'delete or replace them'
# Suffixes of images and videos that are not read.
NO_READER = (
    *('.heic', '.heif', '.jxl', '.svg', '.svgz', '.eps', '.ps', '.wmf'),
    *('.emf', '.exr', '.hdr', '.dng', '.raw', '.cr2', '.cr3', '.nef', '.arw'),
    *('.orf', '.raf', '.rw2', '.mp4', '.mov', '.avi', '.mkv', '.webm'),
    *('.mpg', '.mpeg', '.pdf'),
)
# Suffixes of other files that often lie beside images.
NO_PICTURES = (
    *('.txt', '.caption', '.json', '.jsonl', '.csv', '.tsv', '.npy', '.npz'),
    *('.pt', '.pth', '.safetensors', '.xml', '.yaml', '.yml', '.md', '.html'),
    *('.py', '.log', '.tar', '.zip', '.gz', '.db', '.ini', '.mat', '.h5'),
)


def find_images(root: str, where: str, report: DataReport) -> list[str]:
    """Paths of all images below a folder, sorted.

    Args:
        root: The folder.
        where: Name of the folder in errors.
        report: Counts image files that are left out.

    Raises:
        ValueError: If there are no images.
    """
    others: list[str] = []
    paths = sorted(files_below(root, SUFFIXES, report, others))
    for path in others:
        _count_picture(path, report)
    if not paths:
        raise ValueError(
            f'{where} holds no images (files ending in .png, .jpg, .webp, '
            '.bmp, .gif, .tiff or another suffix that Pillow reads, in any '
            f'subfolder){report.reasons()}'
        )
    return paths


def sound_images(root: str, report: DataReport) -> list[str]:
    """Paths of the readable images below a folder; log what is left out.

    Raises:
        ValueError: If there are no images.
    """
    paths = find_images(root, root, report)
    found = look_at_all([Stored(path) for path in paths])
    sound = []
    for path, look in zip(paths, found, strict=True):
        if look.damage is None:
            sound.append(path)
        else:
            report.defect(CANNOT_READ, f'{path} ({look.damage})', DELETE)
    if not sound:
        raise ValueError(f'{root} holds no readable images{report.reasons()}')
    report.tell()
    return sound


def _count_picture(path: str, report: DataReport) -> None:
    """Count an image file that has an unreadable format or wrong suffix."""
    name = path.lower()
    if name.endswith(NO_PICTURES):
        return
    if name.endswith(NO_READER):
        suffix = os.path.splitext(name)[1]
        report.defect(
            f'files ending in {suffix} are not supported and are left out',
            path,
            'convert them to PNG',
        )
    elif _starts_like_image(path):
        report.defect(
            'files are images without an image suffix and are left out',
            path,
            'give their names the suffix of their kind, such as .jpg',
        )


def _starts_like_image(path: str) -> bool:
    """Whether the first bytes are those of a common image format."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, 'rb') as file:
            head = file.read(16)
    except OSError:
        return False
    return any(
        Image.OPEN[kind][1](head) is True
        for kind in ('PNG', 'JPEG', 'GIF', 'WEBP', 'TIFF')
    )
