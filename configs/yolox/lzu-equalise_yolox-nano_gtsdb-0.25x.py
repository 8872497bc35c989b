# The map magnifies y more than x. A flat image keeps the shape of the signs; it has as many pixels as
# 340x200. Features are laid on cells of about 15 pixels of the original, half of those of 0.25x.
_base_ = ['./uniform_yolox-nano_gtsdb-0.25x.py', '../_base_/zoom/equalise.py']

zoom = _base_.zoom
zoom.update(scale=None, size=(144, 472))
zoom.saliency.path = _base_.centres_file
model = dict(
    data_preprocessor=dict(zoom=zoom),
    neck=dict(_base_.unzoom, frame=(3, 1.5)),
    bbox_head=dict(strides=[(8 / 1.5, 8 / 3), (16 / 1.5, 16 / 3), (32 / 1.5, 32 / 3)]),
)
