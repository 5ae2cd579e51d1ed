import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmldm.datasets import ImageFolder
from mmldm.datasets.transforms import LoadImage

WHITE = Image.new('RGB', (8, 8), 'white')


def fill(folder, *names):
    """Write an image for each name, of the kind that its suffix says."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        WHITE.save(path)


def names_in(folder):
    """What the dataset finds, relative to the folder."""
    dataset = ImageFolder(str(folder), pipeline=[])
    return [os.path.relpath(s['img_path'], folder) for s in dataset]


def test_images_are_found_in_any_depth_and_sorted(tmp_path):
    fill(tmp_path, 'c.png', 'b/d/e.webp', 'a.jpg', 'b/a.jpeg')
    assert names_in(tmp_path) == ['a.jpg', 'b/a.jpeg', 'b/d/e.webp', 'c.png']


def test_suffixes_may_be_in_capitals(tmp_path):
    fill(tmp_path, 'a.PNG', 'b.JPG', 'c.Jpeg', 'd.WEBP')
    assert names_in(tmp_path) == ['a.PNG', 'b.JPG', 'c.Jpeg', 'd.WEBP']


def test_other_files_are_left_alone(tmp_path):
    fill(tmp_path, 'a.png')
    (tmp_path / 'labels.txt').write_text('a.png 3')
    (tmp_path / 'png').touch()
    assert names_in(tmp_path) == ['a.png']


def test_linked_folders_are_searched(tmp_path):
    fill(tmp_path / 'elsewhere', 'a.png')
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'link').symlink_to(tmp_path / 'elsewhere')
    assert names_in(tmp_path / 'data') == ['link/a.png']


@pytest.mark.xfail(
    strict=True, reason='image_folder.py:45: 41 copies, as deep as links go')
def test_a_link_to_a_folder_above_repeats_no_image(tmp_path):
    fill(tmp_path, 'a.png')
    (tmp_path / 'self').symlink_to(tmp_path)
    assert names_in(tmp_path) == ['a.png']


def test_the_pixels_of_the_file_reach_the_pipeline(tmp_path):
    for level in (3, 7):
        Image.new('L', (2, 1), level).save(tmp_path / f'{level}.png')
    dataset = ImageFolder(str(tmp_path), pipeline=[LoadImage()])
    assert [sample['img'].tolist() for sample in dataset] == [
        [[[level] * 3] * 2] for level in (3, 7)]


def test_a_missing_folder_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere.*is not a folder.*'
                       'train_dataloader.dataset.data_root=FOLDER'):
        ImageFolder(str(tmp_path / 'nowhere'), pipeline=[])


def test_a_file_is_no_folder(tmp_path):
    fill(tmp_path, 'a.png')
    with pytest.raises(FileNotFoundError, match='a.png.*is not a folder'):
        ImageFolder(str(tmp_path / 'a.png'), pipeline=[])


def test_a_folder_without_images_is_refused_with_what_is_looked_for(tmp_path):
    (tmp_path / 'notes.txt').touch()
    with pytest.raises(ValueError, match=r'holds no images.*\.webp'):
        ImageFolder(str(tmp_path), pipeline=[])


def cut_off(path):
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


DAMAGES = {
    'cut off': cut_off,
    'empty': lambda path: path.write_bytes(b''),
    'text': lambda path: path.write_text('This is no image.'),
    'dangling': lambda path: (path.unlink(), path.symlink_to('nowhere')),
}


@pytest.mark.parametrize('damage', DAMAGES)
@pytest.mark.parametrize('name', ['bad.jpg', 'bad.png', 'bad.webp'])
def test_a_damaged_file_is_refused_by_name_before_it_is_read(tmp_path, name,
                                                             damage):
    fill(tmp_path, 'a.png', 'z.png')
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    DAMAGES[damage](tmp_path / name)
    with pytest.raises(ValueError, match=f'1 of 3 images.*{name}.*delete or '
                       'replace'):
        ImageFolder(str(tmp_path), pipeline=[])


def test_of_many_damaged_files_five_are_named(tmp_path):
    for i in range(7):
        (tmp_path / f'{i}.png').touch()
    with pytest.raises(ValueError) as error:
        ImageFolder(str(tmp_path), pipeline=[])
    named = [i for i in range(7) if f'{i}.png' in str(error.value)]
    assert str(error.value).startswith('7 of 7 images cannot be read')
    assert named == [0, 1, 2, 3, 4]
    assert ' ...: delete' in str(error.value)


def test_a_jpeg_with_junk_after_its_end_is_accepted(tmp_path):
    fill(tmp_path, 'a.jpg')
    with open(tmp_path / 'a.jpg', 'ab') as file:
        file.write(b'junk' * 100)
    assert names_in(tmp_path) == ['a.jpg']


def test_a_path_object_is_a_folder_too(tmp_path):
    fill(tmp_path, 'a.png')
    assert len(ImageFolder(Path(tmp_path), pipeline=[])) == 1
