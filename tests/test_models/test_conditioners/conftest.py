"""A tiny CLIP text model and its tokenizer, as transformers stores them."""

import json

import pytest
import torch

LETTERS = 'abcdefgh'
CLIP = dict(
    vocab_size=18,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=3,
    num_attention_heads=2,
    max_position_embeddings=7,
    hidden_act='quick_gelu',
    bos_token_id=16,
    eos_token_id=17,
)


@pytest.fixture
def clip_config():
    return dict(CLIP)


@pytest.fixture(scope='session')
def clip_tokenizer(tmp_path_factory):
    """A folder: a letter is a token, at the end of a word another."""
    folder = tmp_path_factory.mktemp('tokenizer')
    words = [*LETTERS, *(f'{letter}</w>' for letter in LETTERS)]
    words += ['<|startoftext|>', '<|endoftext|>']
    (folder / 'vocab.json').write_text(
        json.dumps({word: i for i, word in enumerate(words)})
    )
    (folder / 'merges.txt').write_text('#version: 0.2\n')
    return str(folder)


@pytest.fixture(scope='session')
def clip_folder(tmp_path_factory):
    """A folder with the network alone."""
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(3)
    folder = str(tmp_path_factory.mktemp('network'))
    CLIPTextModel(CLIPTextConfig(**CLIP)).save_pretrained(folder)
    return folder
