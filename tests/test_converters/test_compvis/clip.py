"""What the original's ``FrozenCLIPEmbedder`` loads."""

import torch

from mmldm.converters.transformer_names import CLIP_KEYS

START = 'transformer.'


def clip_to_compvis(weights, config):
    """With the count that transformers 4.19 stored."""
    theirs = CLIP_KEYS.write(weights, config)
    length = config['config']['max_position_embeddings']
    count = {'text_model.embeddings.position_ids': torch.arange(length)[None]}
    return {START + name: w for name, w in (theirs | count).items()}
