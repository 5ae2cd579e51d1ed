_base_ = './ldm_runtime.py'

# In a short training, an average over 10,000 iterations would keep the model
# as it was. The loss of held-out images shows over-fitting of small data.
default_hooks = dict(
    checkpoint=dict(interval=1000),
    ema=dict(decay=0.999),
    validation_loss=dict(
        type='ValidationLossHook', num_images=64, batch_size=8
    ),
)
