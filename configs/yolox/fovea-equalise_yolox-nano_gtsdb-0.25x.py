# FOVEA with the equalising warp: heads keep their strides. Its map is less blurred.
_base_ = ['./uniform_yolox-nano_gtsdb-0.25x.py', '../_base_/zoom/equalise.py']

zoom = _base_.zoom
zoom.update(labels='warped')
zoom.saliency.path = 'data/saliency/gtsdb_centres15.npz'
model = dict(data_preprocessor=dict(zoom=zoom))
