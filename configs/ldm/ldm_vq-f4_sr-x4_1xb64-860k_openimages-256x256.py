"""Super-resolution of photographs with blur, noise and artefacts, LDM-4.

Rombach et al. 2022, app. D.6.1; released as bsr_sr. The iterations are not
published: 860k are those of the paper's model of ImageNet.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f4_sr-x4_1xb64-860k_openimages-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f4_sr-x4_1xb64-860k_openimages-256x256 --low-res \
       SMALL.png

Needs the first stage of autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f4_sr-x4.py',
    '../_base_/datasets/openimages-bsr-x4_256x256.py',
    '../_base_/schedules/adamw.py',
    '../_base_/ldm_runtime.py',
]
train_dataloader = dict(global_batch_size=64)

optim_wrapper = dict(optimizer=dict(lr=6.4e-5))
train_cfg = dict(max_iters=860_000)
