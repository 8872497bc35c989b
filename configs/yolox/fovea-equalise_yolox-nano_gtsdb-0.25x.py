# FOVEA with the equalising warp: heads keep their strides.
_base_ = ['./uniform_yolox-nano_gtsdb-0.25x.py', '../_base_/zoom/equalise.py']

zoom = _base_.zoom
zoom.update(labels='warped')
zoom.saliency.path = _base_.centres_file
model = dict(data_preprocessor=dict(zoom=zoom))
