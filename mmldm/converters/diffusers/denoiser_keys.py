"""Keys in configs of the UNets of diffusers, and what ours has of them.

Names and defaults are those of ``UNet2DModel`` and ``UNet2DConditionModel``
in diffusers 0.42.
"""

from mmldm.models.layers.resnet import NUM_GROUPS

# What diffusers takes where a key is left out.
DEFAULTS = {
    'UNet2DModel': dict(
        in_channels=3,
        out_channels=3,
        down_block_types=('DownBlock2D', *['AttnDownBlock2D'] * 3),
        up_block_types=(*['AttnUpBlock2D'] * 3, 'UpBlock2D'),
        block_out_channels=(224, 448, 672, 896),
        layers_per_block=2,
        dropout=0.0,
        attention_head_dim=8,
        resnet_time_scale_shift='default',
    ),
    'UNet2DConditionModel': dict(
        in_channels=4,
        out_channels=4,
        down_block_types=(*['CrossAttnDownBlock2D'] * 3, 'DownBlock2D'),
        up_block_types=('UpBlock2D', *['CrossAttnUpBlock2D'] * 3),
        block_out_channels=(320, 640, 1280, 1280),
        layers_per_block=2,
        dropout=0.0,
        attention_head_dim=8,
        cross_attention_dim=1280,
        transformer_layers_per_block=1,
        resnet_time_scale_shift='default',
    ),
}
# Blocks and whether they attend.
BLOCKS = {
    'UNet2DModel': {'DownBlock2D': False, 'AttnDownBlock2D': True},
    'UNet2DConditionModel': {
        'DownBlock2D': False,
        'CrossAttnDownBlock2D': True,
    },
}
# The values that our network has.
FIXED = {
    'act_fn': ('silu', 'swish'),
    'add_attention': (True,),
    'addition_embed_type': (None,),
    'addition_time_embed_dim': (None,),
    'attention_type': ('default',),
    'center_input_sample': (False,),
    'class_embed_type': (None,),
    'class_embeddings_concat': (False,),
    'conv_in_kernel': (3,),
    'conv_out_kernel': (3,),
    'cross_attention_norm': (None,),
    'downsample_padding': (1,),
    'downsample_type': ('conv',),
    'dual_cross_attention': (False,),
    'encoder_hid_dim': (None,),
    'encoder_hid_dim_type': (None,),
    'flip_sin_to_cos': (True,),
    'freq_shift': (0,),
    'mid_block_only_cross_attention': (None, False),
    'mid_block_scale_factor': (1,),
    'mid_block_type': ('UNetMidBlock2D', 'UNetMidBlock2DCrossAttn'),
    'norm_eps': (1e-5,),
    'norm_num_groups': (NUM_GROUPS,),
    'num_attention_heads': (None,),
    'num_class_embeds': (None,),
    'only_cross_attention': (False,),
    'projection_class_embeddings_input_dim': (None,),
    'resnet_out_scale_factor': (1,),
    'resnet_skip_time_act': (False,),
    'reverse_transformer_layers_per_block': (None,),
    'time_cond_proj_dim': (None,),
    'time_embedding_act_fn': (None,),
    'time_embedding_dim': (None,),
    'time_embedding_type': ('positional',),
    'timestep_post_act': (None,),
    'upsample_type': ('conv',),
}
# Precision, what only other values of the keys above read, and the shape of
# weights, which are of one use either way.
IGNORED = {
    'addition_embed_type_num_heads',
    'num_train_timesteps',
    'upcast_attention',
    'use_linear_projection',
}
