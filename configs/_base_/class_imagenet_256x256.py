_base_ = [
    './evaluators/fid-50k_imagenet-256x256.py',
    './schedules/adamw_ddim.py',
    './ldm_runtime.py',
]

# Shared by the class-conditional models of Rombach et al. 2022, table 13. A
# config adds it to a network by model = {{_base_.class_conditional}}.
class_conditional = dict(
    denoiser=dict(attention=dict(num_heads=1)),
    conditioner=dict(
        class_names='imagenet',
        embedders=[
            dict(
                type='ClassEmbedder',
                num_classes=1000,
                embed_dim=512,
                null='none',
            )
        ],
    ),
)
train_cfg = dict(max_iters=2_000_000)
# As in table 13.
test_cfg = dict(sampling=dict(steps=100))
