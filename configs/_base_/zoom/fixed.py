# One fixed map for all images (S_D), made from the training labels: tools/compute_saliency.py writes
# the file, whose path a config adds.
zoom = dict(saliency=dict(type='lzu_mm.FixedSaliency'))
