# Anchors keep their size.
_base_ = ['./uniform_retinanet_mobilenet-v2_fpn_gtsdb-0.25x.py', '../_base_/zoom/equalise.py']

zoom = _base_.zoom
zoom.saliency.path = _base_.centres_file
model = dict(
    data_preprocessor=dict(zoom=zoom),
    neck=_base_.unzoom,
    bbox_head=dict(anchor_generator=dict(octave_base_scale=2, strides=[4, 8, 16, 32])),
)
