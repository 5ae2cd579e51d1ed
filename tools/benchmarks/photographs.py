"""Files of images for the benchmarks of data."""

from pathlib import Path

import cv2
import numpy as np

# ImageNet's usual size and files of about 110 kB.
HEIGHT, WIDTH, QUALITY = 375, 500, 92


def write_photographs(
    folder: Path, count: int, height: int = HEIGHT, width: int = WIDTH
) -> list[Path]:
    """Write JPEG files whose detail falls with its frequency as in photos."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        path = folder / f'{number:05}.jpg'
        image = photograph(number, height, width)
        cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        paths.append(path)
    return paths


def photograph(seed: int, height: int, width: int) -> np.ndarray:
    """Noise whose octaves have equal power, uint8 (H, W, 3)."""
    generator = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.float32)
    side = 2
    while side < 2 * max(height, width):
        noise = generator.standard_normal((side, side, 3)).astype(np.float32)
        image += cv2.resize(noise, (width, height))
        side *= 2
    grey = image.mean(2, keepdims=True)
    image = 128 + 18 * (2 * grey + 0.3 * image)
    return image.clip(0, 255).astype(np.uint8)
