# Where the signs of each image are, learned from its own boxes.
_base_ = ['./uniform_yolox-nano_gtsdb-0.25x.py', '../_base_/zoom/equalise.py']

zoom = _base_.zoom
zoom.saliency = dict(
    type='lzu_mm.LearnedSaliency',
    input_size=(200, 340),
    target=dict(kind='boxes', bandwidth=16),
)
model = dict(
    data_preprocessor=dict(zoom=zoom),
    neck=_base_.unzoom,
    bbox_head=dict(strides=(4, 8, 16)),
)
