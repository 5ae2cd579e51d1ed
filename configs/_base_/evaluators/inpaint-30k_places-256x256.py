_base_ = '../datasets/places-inpaint_256x256.py'

# Rombach et al. 2022, table 7: FID and LPIPS of all images, and of those whose
# holes cover 40 to 50 per cent. The paper has 30,000 crops of 512x512 pixels
# with fixed masks of LaMa; here a fixed seed draws LaMa's masks. FID compares
# the images with their originals.
errors = dict(type='ReconstructionMetrics', lpips=dict(type='LPIPS'))
large = dict(type='HoleMetrics', least=0.4, most=0.5)
test_dataloader = dict(dataset=dict(indices=30_000))
test_evaluator = [
    dict(prefix='all', **errors),
    dict(type='ReconstructionFID', prefix='all'),
    dict(prefix='40-50', metric=errors, **large),
    dict(prefix='40-50_fid', metric=dict(type='ReconstructionFID'), **large),
    dict(prefix='box', type='HoleMetrics', crop=True, metric=errors),
]
