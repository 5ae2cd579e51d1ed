_base_ = [
    './ldm_kl-f4_shape-scenes.py',
    './datasets/shape-scenes_32x32.py',
]

model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f4_1xb32-1500_shape-scenes-32x32'
)
