"""Wrong input of any kind: one line that names the argument."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmldm.apis import LatentDiffusionInferencer

NAN = float('nan')
# A model of each kind of condition.
MODELS = {
    'class': {},
    'nothing': dict(
        conditioner=dict(embedders=[]), denoiser=dict(context_dim=None)
    ),
    'text': dict(
        conditioner=dict(
            embedders=[
                dict(
                    type='TokenTransformer',
                    tokenizer=dict(
                        type='WordTokens', vocab=['a', 'b'], max_length=2
                    ),
                    vocab_size=3,
                    max_length=2,
                    embed_dim=8,
                    num_layers=1,
                )
            ]
        )
    ),
    'layout': dict(
        denoiser=dict(attn_factors=(1,)),
        conditioner=dict(
            embedders=[
                dict(
                    type='BoxEmbedder',
                    num_classes=10,
                    embed_dim=8,
                    max_objects=2,
                )
            ]
        ),
    ),
    'map': dict(
        denoiser=dict(in_channels=5, context_dim=None),
        conditioner=dict(
            embedders=[
                dict(
                    type='SemanticMap',
                    num_classes=3,
                    num_stages=1,
                    embed_dim=1,
                )
            ]
        ),
    ),
    'hole': dict(
        denoiser=dict(in_channels=9, context_dim=None),
        conditioner=dict(
            embedders=[dict(type='MaskedImage', latent_channels=4)]
        ),
    ),
    'small': dict(
        denoiser=dict(in_channels=7, context_dim=None),
        conditioner=dict(embedders=[dict(type='LowResolution')]),
    ),
}
IMAGE = np.zeros((8, 8, 3), np.uint8)
HOLE = np.eye(8, dtype=np.uint8)
COLOURS = np.random.default_rng(0).integers(256, size=(8, 8, 3), dtype='uint8')
BOX = (0.1, 0.1, 0.5, 0.5)
# Model, arguments, start of the message.
WRONG = [
    ('class', dict(label=99), 'label=99 is unknown, expected 0 to 9'),
    ('class', dict(label=-1), 'label=-1 is unknown'),
    ('class', dict(label=1.5), 'label=1.5 is unknown'),
    ('class', dict(label=True), 'label=True is unknown'),
    ('class', dict(label='cat'), "label='cat' is unknown"),
    ('class', dict(label=[]), 'label is an empty list'),
    ('class', dict(label=3, prompt='a'), 'prompt is unknown to this model'),
    ('class', dict(label=3, image=IMAGE), 'image is unknown to this model'),
    ('class', dict(label=3, fields=dict(a=1)), r"fields\['a'\] is unknown to"),
    ('class', dict(label=3, fields=3), 'fields=3 must be a dict'),
    ('class', dict(label=3, guidance_scale=NAN), 'guidance_scale=nan must be'),
    ('class', dict(label=3, guidance_scale=-1), 'guidance_scale=-1 must be'),
    ('class', dict(label=3, guidance_scale='a'), "guidance_scale='a' must be"),
    (
        'class',
        dict(label=3, guidance_rescale=2, guidance_scale=2),
        'guidance_rescale=2 must be',
    ),
    ('class', dict(label=3, guidance_rescale=1), 'guidance_scale is missing'),
    (
        'class',
        dict(label=3, guidance_scale=2, guidance_interval=(2, 1)),
        r'guidance_interval=\(2, 1\) must be',
    ),
    (
        'class',
        dict(label=3, guidance_scale=2, guidance=1),
        'guidance_scale and',
    ),
    ('class', dict(label=3, guidance=1), 'guidance=1 must be a Guidance'),
    ('class', dict(label=3, steps=0), 'steps=0 must be'),
    ('class', dict(label=3, steps=2.5), 'steps=2.5 must be'),
    ('class', dict(label=3, steps=1001), r'steps=1001 must be in \[1, 1000'),
    ('class', dict(label=3, size=7), 'size=7 is not divisible by the factor'),
    ('class', dict(label=3, size=0), 'size=0 must be'),
    ('class', dict(label=3, size=(8, 8, 3)), r'size=\(8, 8, 3\) must be'),
    ('class', dict(label=3, size='8x8'), "size='8x8' must be"),
    ('class', dict(label=3, size=2**24), 'num=1 images of'),
    ('class', dict(label=3, seed=-1), 'seed=-1 must be'),
    ('class', dict(label=3, seed=0.5), 'seed=0.5 must be'),
    ('class', dict(label=3, seed=None), 'seed=None must be'),
    ('class', dict(label=3, number=-1), 'number=-1 must be'),
    ('class', dict(label=3, num=0), 'num=0 must be'),
    ('class', dict(label=3, num=10**9), 'num=1000000000 images of'),
    ('class', dict(label=3, batch_size=0), 'batch_size=0 must be'),
    ('class', dict(label=3, negative=99), 'negative=99 is unknown'),
    ('class', dict(label=3, solver='DDIN'), "solver='DDIN' is not known"),
    ('class', dict(label=3, solver=3), 'solver=3 is'),
    (
        'class',
        dict(label=3, grid='DDIM'),
        "grid='DDIM' is a DDIM, expected a T",
    ),
    ('class', dict(label=3, window=7), 'window=7 is not divisible'),
    ('class', dict(label=3, window=0), 'window=0 must be'),
    ('class', dict(label=3, dtype='int8'), "dtype='int8' is not known"),
    ('class', dict(label=3, compile='fast'), "compile='fast' must be"),
    ('class', dict(label=3, strength=0.5), 'image is missing'),
    ('class', dict(label=3, callback=3), 'callback=3 must be'),
    ('class', dict(label=3, sampling=3), 'sampling=3 must be'),
    (
        'nothing',
        dict(prompt='a cat'),
        'prompt is unknown to this model, which ',
    ),
    (
        'nothing',
        dict(label=3),
        'label is unknown to this model, which reads n',
    ),
    ('nothing', dict(guidance_scale=2), 'guidance is not available'),
    ('nothing', dict(negative='a'), "negative='a' is not available"),
    ('text', dict(), 'the field caption is missing: give prompt'),
    ('text', dict(prompt=''), "prompt '' is empty: give a text"),
    ('text', dict(prompt=['a', ' ']), "prompt ' ' is empty"),
    ('text', dict(prompt=3), 'prompt=3 must be a text'),
    ('text', dict(prompt='a', negative=''), "negative '' is empty"),
    ('text', dict(prompt='a c'), "the caption 'a c' of .* has the word 'c'"),
    ('text', dict(prompt='a', negative='c'), "the caption 'c' of "),
    ('layout', dict(layout=[(3, (0.5, 0, 1, 1))]), 'layout: the box of class'),
    ('layout', dict(layout=[(3, (0, 0, NAN, 1))]), 'layout: the box of class'),
    ('layout', dict(layout=[(3, (0, 0, 1))]), 'layout: the box of class 3'),
    ('layout', dict(layout=[(99, BOX)]), 'layout: class=99 is unknown'),
    ('layout', dict(layout=[3]), r'layout: 3 must be \(class'),
    ('layout', dict(layout='a cat'), "layout: 'a cat' must be"),
    ('layout', dict(layout=3 * [(1, BOX)]), 'the layout of .* has 3 obj'),
    ('map', dict(map=COLOURS), r'map: expected one number a pixel'),
    ('map', dict(map=Image.fromarray(COLOURS)), 'map: label image .* 3 chann'),
    ('map', dict(map=np.full((8, 8), 9)), 'map=9 is unknown, expected 0 to 2'),
    ('map', dict(map=np.full((8, 8), 0.5)), 'map: expected whole numbers'),
    ('map', dict(map=HOLE, size=16), 'map has 8x8 pixels, but the image 16x'),
    ('map', dict(map='none.png'), 'map: .*none.png'),
    ('hole', dict(image=IMAGE), 'the field mask is missing: give mask'),
    (
        'hole',
        dict(image=IMAGE, mask=HOLE[:4]),
        'mask has 8x4 pixels, but the image 8x8',
    ),
    ('hole', dict(image=IMAGE[..., :2], mask=HOLE), 'image: expected uint8 R'),
    ('hole', dict(image=IMAGE / 255, mask=HOLE), 'image: expected uint8 RGB'),
    ('hole', dict(image=IMAGE, mask=7.0 * HOLE), 'mask: a mask of float64 mu'),
    ('hole', dict(image=IMAGE, mask=NAN * HOLE), 'mask: a mask of float64 mu'),
    ('hole', dict(image=3, mask=HOLE), 'image: expected uint8 RGB'),
    ('hole', dict(image=IMAGE, mask=HOLE, strength=0.5), 'image is not avail'),
    ('small', dict(low_res=IMAGE, size=8), 'low_res has 8x8 pixels, but size'),
    ('small', dict(low_res=torch.zeros(3, 4, 4)), 'low_res: expected uint8'),
    ('small', dict(low_res=None), 'the field img_lq is missing: give low_res'),
]


@pytest.fixture(scope='module')
def models():
    """Each model is built once."""
    return {}


@pytest.mark.parametrize(
    'kind, arguments, message',
    WRONG,
    ids=[f'{k}-{",".join(a)}-{i}' for i, (k, a, _) in enumerate(WRONG)],
)
def test_wrong_input_is_one_line_that_names_it(
    tiny_ldm, models, kind, arguments, message
):
    if kind not in models:
        models[kind] = tiny_ldm(image_size=8, **MODELS[kind])
    generate = LatentDiffusionInferencer(models[kind])
    with pytest.raises((ValueError, OSError), match=f'^{message}') as error:
        generate(**arguments)
    assert '\n' not in str(error.value)


def test_an_unknown_word_is_found_before_the_first_image(tiny_ldm):
    generate = LatentDiffusionInferencer(
        tiny_ldm(image_size=8, **MODELS['text'])
    )
    with pytest.raises(ValueError, match="the word 'c'"):
        # It makes requests, and no image.
        generate.asked(prompt=['a', 'b', 'c'])
    generate.asked(unconditional=True)
