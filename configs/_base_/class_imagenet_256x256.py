_base_ = [
    './datasets/imagenet_256x256.py',
    './schedules/adamw.py',
    './ldm_runtime.py',
]

# What the class-conditional models of Rombach et al. 2022, table 13, share. In
# a leaf, model = {{_base_.class_conditional}} adds it to a network.
class_conditional = dict(
    denoiser=dict(attention=dict(num_heads=1)),
    conditioner=dict(
        embedders=[
            dict(
                type='ClassEmbedder',
                num_classes=1000,
                embed_dim=512,
                null='none',
            )
        ]
    ),
)
train_cfg = dict(max_iters=2_000_000)
