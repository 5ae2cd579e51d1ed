"""Images' neighbours in CLIP's space, by a small untrained CLIP."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmldm.registry import DATASETS

TOOL = 'dataset_converters/neighbours'


@pytest.fixture(scope='module')
def encoder(tmp_path_factory):
    """A folder as that of a CLIP model on huggingface.co."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
        projection_dim=8,
    )
    folder = tmp_path_factory.mktemp('clip')
    CLIPVisionModelWithProjection(config).save_pretrained(folder)
    return folder


@pytest.fixture
def images(tmp_path):
    """Five of noise, of other sizes than the encoder's."""
    folder = tmp_path / 'images'
    for i in range(5):
        pixels = np.random.randint(0, 256, (20 + i, 24, 3), np.uint8)
        path = folder / ('deep' if i else '.') / f'{i}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture
def find(call_tool, encoder, images, tmp_path):
    """Runs the tool; arrays by the number of the image."""

    def find(*flags):
        out = tmp_path / 'neighbours'
        call_tool(TOOL, images, '--out', out, '--encoder', encoder, *flags)
        return {int(p.stem): np.load(p) for p in out.rglob('*.npy')}

    return find


def embedded(encoder, images):
    """As transformers' own preparation of images has it, (5, 8)."""
    from transformers import CLIPVisionModelWithProjection
    from transformers.models.clip import CLIPImageProcessor

    prepare = CLIPImageProcessor(
        size=dict(shortest_edge=16), crop_size=dict(height=16, width=16)
    )
    model = CLIPVisionModelWithProjection.from_pretrained(encoder).eval()
    paths = sorted(images.rglob('*.png'), key=lambda path: path.stem)
    opened = [Image.open(path) for path in paths]
    with torch.no_grad():
        pixels = prepare(opened, return_tensors='pt').pixel_values
        embeds = model(pixels).image_embeds.numpy()
    return embeds / np.linalg.norm(embeds, axis=1, keepdims=True)


def test_neighbours_are_the_most_alike_of_the_others(find, encoder, images):
    expected = embedded(encoder, images)
    likeness = expected @ expected.T
    np.fill_diagonal(likeness, -np.inf)
    order = np.argsort(-likeness, axis=1)
    found = find('--num', '3', '--batch-size', '2')
    assert sorted(found) == [*range(5)]
    for i, features in found.items():
        assert features.shape == (3, 8)
        np.testing.assert_allclose(features, expected[order[i, :3]], atol=1e-3)


def test_a_copy_in_the_database_is_the_first(find, images, tmp_path):
    database = tmp_path / 'database'
    database.mkdir()
    (images / '0.png').rename(database / 'copy.png')
    Image.open(database / 'copy.png').save(images / '0.png')
    Image.new('RGB', (30, 30)).save(database / 'black.png')
    alone = find('--num', '2', '--database', database)
    others = np.stack([rows[0] @ rows[1] for rows in alone.values()])
    assert np.allclose(np.linalg.norm(alone[0], axis=1), 1)
    assert np.allclose(others, others[0])  # the same two, in some order
    again = find('--num', '1', '--database', database)
    assert np.allclose(again[0], alone[0][:1])


def test_the_dataset_reads_them(find, images, tmp_path):
    found = find()
    dataset = DATASETS.build(
        dict(
            type='ImageFolder',
            data_root=str(tmp_path),
            images='images',
            annotations=[dict(type='FeatureFiles', folder='neighbours')],
            pipeline=[dict(type='LoadFeatures'), dict(type='PackInputs')],
        )
    )
    for i in range(5):
        sample = dataset[i]['data_samples']
        number = int(sample.img_path.rpartition('/')[2][0])
        assert np.array_equal(sample.features, found[number])


@pytest.mark.parametrize(
    'flags, message',
    [
        (['--num', '5'], '--num 5, but an image has only 4 possible'),
        (['--num', '0'], '--num'),
        (
            ['--encoder', '.'],
            "pretrained='.' is neither a folder with a vision model of CLIP",
        ),
    ],
)
def test_a_mistake_is_one_line(find, flags, message, images, monkeypatch):
    monkeypatch.chdir(images)  # no model
    with pytest.raises(ValueError, match=message):
        find(*flags)


def test_damaged_and_hidden_images_have_no_neighbours(find, images):
    (images / 'deep/7.png').write_text('no image')
    (images / '.hidden').mkdir()
    Image.new('RGB', (8, 8)).save(images / '.hidden/8.png')
    assert sorted(find('--num', '2')) == [0, 1, 2, 3, 4]


def test_two_images_of_one_array_are_refused(find, images):
    Image.new('RGB', (8, 8)).save(images / '0.jpg')
    with pytest.raises(ValueError, match='0.jpg and .*0.png would both take'):
        find('--num', '2')
