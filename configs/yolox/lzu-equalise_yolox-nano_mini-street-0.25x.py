_base_ = ['./uniform_yolox-nano_mini-street-0.25x.py', '../_base_/zoom/equalise.py']

zoom = _base_.zoom
zoom.saliency.path = _base_.centres_file
model = dict(
    data_preprocessor=dict(zoom=zoom),
    neck=_base_.unzoom,
    bbox_head=dict(strides=(4, 8, 16)),
)
