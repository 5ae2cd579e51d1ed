"""Make a folder of captioned emoji from an npm package.

    npm pack emoji-datasource-google
    python tools/dataset_converters/emoji.py emoji-datasource-google-*.tgz \\
        --out data/emoji

The pictures have 64x64 pixels: Noto Emoji by Google (Apache-2.0); the list of
their names is by Cal Henderson (MIT). emoji-datasource-twitter also works.
The output is CATEGORY/NAME.png with the names as captions in NAME.txt.
Transparent pixels become white. Other skin tones of an emoji are left out.
"""

import argparse
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from mmldm.apis import run_tool
from mmldm.utils.files import check_file, check_folder_to_write

LIST = 'emoji.json'
PICTURE = re.compile(r'img/(\w+)/64/([^/]+\.png)$')


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('package', help='the .tgz file that npm pack writes')
    parser.add_argument(
        '--out', default='data/emoji', help='folder (default: %(default)s)'
    )
    return parser.parse_args()


def read_package(path: Path) -> tuple[list[dict], dict[str, bytes]]:
    """The list of emoji, and the pictures of 64x64 pixels by file name.

    Raises:
        ValueError: If the file is damaged, or is not such a package.
    """
    emoji, pictures = None, {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                found = PICTURE.search(member.name)
                if found:
                    pictures[found[2]] = archive.extractfile(member).read()
                elif Path(member.name).name == LIST:
                    emoji = json.load(archive.extractfile(member))
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise ValueError(
            f'{path} is damaged ({error}): npm pack it again'
        ) from error
    if emoji is None or not pictures:
        raise ValueError(
            f'{path} has no {LIST} or no img/SET/64/*.png: give the file of '
            'npm pack emoji-datasource-google'
        )
    return emoji, pictures


def captions(entry: dict[str, Any]) -> list[str]:
    """The names of an emoji in lower case, the official one first.

    Codes of countries, such as flag-ne, are no names.
    """
    short = [
        re.sub('[-_]', ' ', name)
        for name in entry['short_names']
        if not name.startswith('flag-')
    ]
    official = [entry['name'].lower()] if entry['name'] else []
    plain = [name.replace('-', ' ') for name in official]
    return official + [name for name in short if name not in plain]


def entries(
    emoji: list[dict], pictures: dict[str, bytes]
) -> Iterator[tuple[dict, Image.Image]]:
    """Each emoji with its picture, RGB on white; those without are left out.

    Args:
        emoji: Entries of the list.
        pictures: Content of the files by name.
    """
    for entry in emoji:
        content = pictures.get(entry['image'])
        if content is not None:
            picture = Image.open(io.BytesIO(content)).convert('RGBA')
            white = Image.new('RGBA', picture.size, 'white')
            white.alpha_composite(picture)
            yield entry, white.convert('RGB')


def main() -> None:
    """Write the folder and say what is left out."""
    args = parse_args()
    check_file('package', args.package)
    check_folder_to_write('--out', args.out)
    emoji, pictures = read_package(Path(args.package))
    written = 0
    for entry, picture in tqdm(entries(emoji, pictures), total=len(emoji)):
        folder = Path(args.out) / entry['category']
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f'{entry["short_name"]}.png'
        picture.save(path)
        path.with_suffix('.txt').write_text('\n'.join(captions(entry)) + '\n')
        written += 1
    print(
        f'{written} emoji written to {args.out}; left out: '
        f'{len(emoji) - written} without a picture, and '
        f'{len(pictures) - written} pictures of other skin tones or of none'
    )


if __name__ == '__main__':
    run_tool(main)
