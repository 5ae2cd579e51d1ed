_base_ = './autoencoder_kl-f4.py'

# A network for two CPU cores.
model = dict(
    autoencoder=dict(
        channels=32, num_res_blocks=1, mid_attention=False, norm_groups=8
    )
)
