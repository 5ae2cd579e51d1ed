"""From a folder of images to what a retrieval-augmented model draws."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from mmldm.apis.image_index import read_index, write_index
from mmldm.apis.retrieval import Retriever, _embed_texts, nearest
from mmldm.structures import LDMDataSample

NEIGHBOURS = 'dataset_converters/neighbours'
SIZES = dict(
    hidden_size=16,
    intermediate_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    projection_dim=8,
)
START, END = 8, 9
WORDS = [*'abcd', *(f'{letter}</w>' for letter in 'abcd')]
MODEL = dict(
    denoiser=dict(context_dim=8),
    conditioner=dict(
        embedders=[dict(type='PrecomputedFeatures', embed_dim=8)]
    ),
)


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """A folder with all of a small CLIP."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp('clip')
    text = dict(
        SIZES,
        vocab_size=10,
        max_position_embeddings=6,
        bos_token_id=START,
        eos_token_id=END,
    )
    vision = dict(SIZES, image_size=16, patch_size=8)
    config = CLIPConfig(
        text_config=text, vision_config=vision, projection_dim=8
    )
    CLIPModel(config).save_pretrained(folder)
    words = [*WORDS, '<|startoftext|>', '<|endoftext|>']
    ids = {word: i for i, word in enumerate(words)}
    (folder / 'vocab.json').write_text(json.dumps(ids))
    (folder / 'merges.txt').write_text('#version: 0.2\n')
    return folder


@pytest.fixture
def images(tmp_path):
    """Four of noise; a name that is no ASCII."""
    rng = np.random.default_rng(0)
    folder = tmp_path / 'images'
    (folder / 'deep').mkdir(parents=True)
    for name in ('a.png', 'b c.png', 'deep/d.png', 'deep/\u00e9.png'):
        pixels = rng.integers(0, 256, (18, 20, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


@pytest.fixture
def index(call_tool, clip, images, tmp_path):
    path = tmp_path / 'photos-20240101.safetensors'
    call_tool(NEIGHBOURS, images, '--index', path, '--encoder', clip)
    return path


def texts_embedded(clip, *rows):
    """By transformers alone."""
    from transformers import CLIPTextModelWithProjection

    model = CLIPTextModelWithProjection.from_pretrained(clip).eval()
    with torch.no_grad():
        embeds = model(torch.tensor(rows)).text_embeds
    return embeds / embeds.norm(dim=1, keepdim=True)


def test_an_index_holds_every_image(index, images, clip, call_tool, tmp_path):
    found = read_index(index)
    paths = sorted(str(p.relative_to(images)) for p in images.rglob('*.png'))
    assert found.paths == paths
    assert found.encoder == str(clip)
    assert not [*tmp_path.glob('*.tmp')]
    torch.testing.assert_close(found.embeddings.norm(dim=1), torch.ones(4))
    # Its first neighbour in the same folder is an image itself.
    out = tmp_path / 'out'
    flags = ('--out', out, '--database', images, '--num', 1)
    call_tool(NEIGHBOURS, images, *flags, '--encoder', clip)
    for path, row in zip(found.paths, found.embeddings, strict=True):
        array = np.load((out / path).with_suffix('.npy'))
        np.testing.assert_allclose(array[0], row, atol=1e-6)


def test_search_is_exact():
    rows = torch.nn.functional.normalize(torch.randn(300, 4), dim=1)
    order = (rows @ rows.T).argsort(dim=1, descending=True)
    assert torch.equal(nearest(rows, rows, 3), order[:, :3])
    assert torch.equal(nearest(rows, rows, 3, same=True), order[:, 1:4])


def test_a_text_comes_before_its_neighbours(index, clip):
    ids = [START, 0, 5, END, END, END], [START, 6, END, END, END, END]
    queries = texts_embedded(clip, *ids)  # 'ab', 'c'
    retriever = Retriever(index, 3, 8)
    features = retriever.of_texts(['ab', 'c'])
    assert features.shape == (2, 4, 8)
    torch.testing.assert_close(features[:, 0], queries)
    found = read_index(index)
    for row, query in zip(features, queries, strict=True):
        order = (found.embeddings @ query).argsort(descending=True)[:3]
        torch.testing.assert_close(row[1:], found.embeddings[order])
        assert retriever.names(row) == [found.paths[i] for i in order]


def expected_image(model, features, place=0):
    sample = LDMDataSample(
        metainfo=dict(img_shape=(8, 8), address=(0, place)),
        features=features,
    )
    (sample,) = model.predict(None, [sample])
    return sample.pred_img.permute(1, 2, 0).numpy()


def test_an_encoder_cannot_name_the_code_of_its_attention(clip, tmp_path):
    """transformers would fetch a package of this name and run it."""
    folder = tmp_path / 'named'
    shutil.copytree(clip, folder)
    path = folder / 'config.json'
    config = json.loads(path.read_text())
    config['text_config']['attn_implementation'] = 'a/b'
    path.write_text(json.dumps(config))
    found, expected = (
        _embed_texts(str(source), ['a b'], 'cpu') for source in (folder, clip)
    )
    assert torch.equal(found, expected)


def test_what_is_found_is_drawn(draw, index, images, capsys):
    queries = ('a.png', 'b c.png')
    flags = ('--like', *(images / name for name in queries), '--num', 2)
    model, drawn = draw(
        MODEL, *flags, '--database', index, '--num-neighbours', 2
    )
    pixels = [np.asarray(Image.open(images / name)) for name in queries]
    found = Retriever(index, 2, 8).of_images(pixels)
    # An image of the index is the first of its own neighbours.
    torch.testing.assert_close(found[:, 0], found[:, 1])
    assert f'like {images / "a.png"}: a.png, ' in capsys.readouterr().out
    for number in range(4):
        expected = expected_image(model, found[number // 2], number % 2)
        assert np.array_equal(drawn[f'{number:06}.png'], expected)


def test_a_prompt_is_drawn(draw, index):
    flags = ('--prompt', 'ab', '--num', 1, '--database', index)
    model, drawn = draw(MODEL, *flags)
    (features,) = Retriever(index, 4, 8).of_texts(['ab'])
    assert np.array_equal(drawn['000000.png'], expected_image(model, features))


@pytest.mark.parametrize(
    'flags, message',
    [
        ([], 'give one of --prompt and --like'),
        (['--prompt', 'a', '--like', 'x.png'], 'give one of --prompt and'),
        (['--prompt', 'a', '--negative', 'b'], '--negative has no effect'),
        (['--prompt', 'a', '--num-neighbours', 5], '=5, but .* has 4 images'),
        (['--prompt', 'a', '--num-neighbours', 0], '--num-neighbours=0'),
        (['--prompt', 'a', '--database', 'no.safetensors'], 'does not exist'),
        (['--like', 'none.png'], 'none.png'),
    ],
)
def test_a_mistake_is_one_line(draw, index, flags, message):
    with pytest.raises((ValueError, OSError), match=message):
        draw(MODEL, '--database', index, *flags)


def test_an_index_of_another_dimension_is_refused(index):
    with pytest.raises(
        ValueError, match='of 8 channels, .* the model reads 7'
    ):
        Retriever(index, 2, 7)


def test_an_index_of_another_encoder_is_refused(index, clip, tmp_path):
    from transformers import CLIPModel

    model = CLIPModel.from_pretrained(clip)
    torch.nn.init.zeros_(model.visual_projection.weight)
    model.save_pretrained(tmp_path / 'other')
    with pytest.raises(ValueError, match='weights differ from those of'):
        Retriever(index, 2, 8, str(tmp_path / 'other'))
    copy = shutil.copytree(clip, tmp_path / 'copy')
    Retriever(index, 2, 8, str(copy))


def test_an_encoder_that_reads_no_text_says_so(index, clip, tmp_path):
    from transformers import CLIPVisionModelWithProjection

    model = CLIPVisionModelWithProjection.from_pretrained(clip)
    model.save_pretrained(tmp_path / 'seeing')
    retriever = Retriever(index, 2, 8, str(tmp_path / 'seeing'))
    with pytest.raises(ValueError, match='has no text model'):
        retriever.of_texts(['ab'])


def test_other_files_and_names_are_refused(index, tmp_path, call_tool, clip):
    from safetensors.torch import save_file

    other = tmp_path / 'other.safetensors'
    save_file(dict(x=torch.zeros(1)), other)
    with pytest.raises(
        ValueError, match='is not an index of images .*--index'
    ):
        read_index(other)
    save_file(dict(x=torch.zeros(1)), other, dict(mmldm_index='[' * 10**5))
    with pytest.raises(ValueError, match='is not an index of images'):
        read_index(other)
    other.write_bytes(index.read_bytes()[:-9])
    with pytest.raises(ValueError, match='is not an index of images'):
        read_index(other)
    with pytest.raises(ValueError, match='x.pth must be named'):
        write_index(tmp_path / 'x.pth', read_index(index))
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='empty holds no images'):
        call_tool(NEIGHBOURS, tmp_path / 'empty', '--index', other)
    with pytest.raises(ValueError, match='give --out, --index or both'):
        call_tool(NEIGHBOURS, tmp_path)
