"""Keys in configs of the UNets of diffusers, and our counterparts.

Names and defaults are those of ``UNet2DModel`` and ``UNet2DConditionModel``
in diffusers 0.42.
"""

from mmldm.models.layers.resnet import NUM_GROUPS

from ..key_table import Key, KeyTable, fixed, ignored
from ..kinds import COUNT, NUMBER, WORD, either
from .levels import HARMLESS, REMEDY, SIZE, Blocks

PLAIN, CONDITIONAL = 'UNet2DModel', 'UNet2DConditionModel'
BLOCKS = {
    PLAIN: Blocks(
        ('DownBlock2D', 'AttnDownBlock2D'), ('UpBlock2D', 'AttnUpBlock2D')
    ),
    CONDITIONAL: Blocks(
        ('DownBlock2D', 'CrossAttnDownBlock2D'),
        ('UpBlock2D', 'CrossAttnUpBlock2D'),
    ),
}
COMMON = (
    *HARMLESS,
    Key('layers_per_block', 'num_res_blocks', COUNT, 2),
    Key('dropout', 'res_block.dropout', NUMBER, 0.0),
    # Whether the time embedding scales and shifts.
    Key(
        'resnet_time_scale_shift',
        'res_block.scale_shift',
        WORD,
        'default',
        {'default': False, 'scale_shift': True},
    ),
    Key('attention_head_dim', '', SIZE, 8),
    Key('attn_norm_num_groups', '', either(COUNT, None), None),
    *fixed(
        {
            'act_fn': ('silu', 'swish'),
            'add_attention': True,
            'addition_embed_type': None,
            'addition_time_embed_dim': None,
            'attention_type': 'default',
            'center_input_sample': False,
            'class_embed_type': None,
            'class_embeddings_concat': False,
            'conv_in_kernel': 3,
            'conv_out_kernel': 3,
            'cross_attention_norm': None,
            'downsample_padding': 1,
            'downsample_type': 'conv',
            'dual_cross_attention': False,
            'encoder_hid_dim': None,
            'encoder_hid_dim_type': None,
            'flip_sin_to_cos': True,
            'freq_shift': 0,
            'mid_block_only_cross_attention': (None, False),
            'mid_block_scale_factor': 1,
            'mid_block_type': ('UNetMidBlock2D', 'UNetMidBlock2DCrossAttn'),
            'norm_eps': 1e-5,
            'norm_num_groups': NUM_GROUPS,
            'num_attention_heads': None,
            'num_class_embeds': None,
            'only_cross_attention': False,
            'projection_class_embeddings_input_dim': None,
            'resnet_out_scale_factor': 1,
            'resnet_skip_time_act': False,
            'reverse_transformer_layers_per_block': None,
            'time_cond_proj_dim': None,
            'time_embedding_act_fn': None,
            'time_embedding_dim': None,
            'time_embedding_type': 'positional',
            'timestep_post_act': None,
            'upsample_type': 'conv',
        }
    ),
    # Precision, keys that only matter with other values of the keys above,
    # and shapes of weights, which are converted in either case.
    *ignored(
        'addition_embed_type_num_heads num_train_timesteps upcast_attention '
        'use_linear_projection'
    ),
)
TABLES = {
    PLAIN: KeyTable(
        Key('in_channels', 'in_channels', COUNT, 3),
        Key('out_channels', 'out_channels', COUNT, 3),
        *BLOCKS[PLAIN].keys([0, 1, 1, 1], [224, 448, 672, 896]),
        *COMMON,
        remedy=REMEDY,
    ),
    CONDITIONAL: KeyTable(
        Key('in_channels', 'in_channels', COUNT, 4),
        Key('out_channels', 'out_channels', COUNT, 4),
        Key('cross_attention_dim', 'context_dim', either(COUNT, None), 1280),
        Key('transformer_layers_per_block', 'attention.depth', COUNT, 1),
        *BLOCKS[CONDITIONAL].keys([1, 1, 1, 0], [320, 640, 1280, 1280]),
        *COMMON,
        remedy=REMEDY,
    ),
}
