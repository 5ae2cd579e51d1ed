import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmldm.datasets import ImageFolder
from mmldm.datasets.transforms import Crop, LoadImage, ResizeShorterSide

WHITE = Image.new('RGB', (8, 8), 'white')


def fill(folder, *names):
    """Write an image for each name, of the kind that its suffix says."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        WHITE.save(path)


def names_in(folder, **kwargs):
    """What the dataset finds, relative to the folder."""
    # Serializing collects garbage: half a second a dataset.
    dataset = ImageFolder(
        str(folder), pipeline=[], serialize_data=False, **kwargs
    )
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


def test_a_link_to_a_folder_above_repeats_no_image(tmp_path):
    fill(tmp_path, 'a.png')
    (tmp_path / 'self').symlink_to(tmp_path)
    assert names_in(tmp_path) == ['a.png']


def test_train_and_val_share_the_images(tmp_path):
    fill(tmp_path, *(f'{i:03}.png' for i in range(300)))
    everything = names_in(tmp_path)
    held_out = names_in(tmp_path, split='val')
    rest = names_in(tmp_path, split='train')
    assert sorted(held_out + rest) == everything
    assert len(held_out) == pytest.approx(300 / 20, abs=8)


def test_a_new_image_moves_no_other_between_the_splits(tmp_path):
    fill(tmp_path, *(f'{i:03}.png' for i in range(100)))
    before = set(names_in(tmp_path, split='val'))
    fill(tmp_path, '0.png', '050a.png')
    assert before <= set(names_in(tmp_path, split='val'))


def test_one_of_a_few_images_is_for_validation(tmp_path):
    fill(tmp_path, 'a.png', 'b.png', 'c.png')
    assert len(names_in(tmp_path, split='val')) == 1


def test_a_single_image_is_not_enough_to_train_on(tmp_path):
    fill(tmp_path, 'a.png')
    with pytest.raises(ValueError, match="single image.*set split='all'"):
        ImageFolder(str(tmp_path), pipeline=[], split='train')


def test_an_unknown_split_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="split='trian'.*mean 'train'"):
        ImageFolder(str(tmp_path), pipeline=[], split='trian')


def test_the_size_reaches_transforms_that_have_none(tmp_path):
    fill(tmp_path, 'a.png')
    dataset = ImageFolder(
        str(tmp_path),
        size=3,
        pipeline=[LoadImage(), ResizeShorterSide(), Crop(random=False)],
    )
    assert dataset[0]['img'].shape == (3, 3, 3)
    with pytest.raises(ValueError, match='size=0 must be a whole'):
        ImageFolder(str(tmp_path), size=0, pipeline=[])


def test_the_pixels_of_the_file_reach_the_pipeline(tmp_path):
    for level in (3, 7):
        Image.new('L', (2, 1), level).save(tmp_path / f'{level}.png')
    dataset = ImageFolder(str(tmp_path), pipeline=[LoadImage()])
    assert [sample['img'].tolist() for sample in dataset] == [
        [[[level] * 3] * 2] for level in (3, 7)
    ]


def test_a_missing_folder_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match='nowhere.*is not a folder.*'
        'train_dataloader.dataset.data_root=FOLDER',
    ):
        ImageFolder(str(tmp_path / 'nowhere'), pipeline=[])


def test_a_folder_that_nobody_names_is_refused_with_the_remedy():
    with pytest.raises(FileNotFoundError, match='data_root=FOLDER'):
        ImageFolder(None, pipeline=[])


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
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES = {
    'cut off': cut_off,
    'empty': lambda path: path.write_bytes(b''),
    'text': lambda path: path.write_text('This is no image.'),
    'dangling': lambda path: (path.unlink(), path.symlink_to('nowhere')),
}


@pytest.mark.parametrize('damage', DAMAGES)
@pytest.mark.parametrize('name', ['bad.jpg', 'bad.png', 'bad.webp'])
def test_a_damaged_file_is_refused_by_name_before_it_is_read(
    tmp_path, name, damage
):
    fill(tmp_path, 'a.png', 'z.png')
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    DAMAGES[damage](tmp_path / name)
    with pytest.raises(ValueError, match=f'1 (images|links).*{name}'):
        ImageFolder(str(tmp_path), pipeline=[], strict=True)
    assert names_in(tmp_path) == ['a.png', 'z.png']


def test_where_all_files_are_damaged_the_number_is_said(tmp_path):
    for i in range(7):
        (tmp_path / f'{i}.png').touch()
    with pytest.raises(
        ValueError, match=r'nothing in data_root.*7 images cannot.*0.png'
    ):
        ImageFolder(str(tmp_path), pipeline=[])


def test_a_jpeg_with_junk_after_its_end_is_accepted(tmp_path):
    fill(tmp_path, 'a.jpg')
    with open(tmp_path / 'a.jpg', 'ab') as file:
        file.write(b'junk' * 100)
    assert names_in(tmp_path) == ['a.jpg']


def test_a_path_object_is_a_folder_too(tmp_path):
    fill(tmp_path, 'a.png')
    assert len(ImageFolder(Path(tmp_path), pipeline=[])) == 1
