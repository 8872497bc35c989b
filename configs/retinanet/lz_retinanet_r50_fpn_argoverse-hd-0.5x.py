# Learning to Zoom (LZ): a learned, non-separable zoom without unzooming; boxes are learned in the
# zoomed frame and predicted ones come back through the warp.
_base_ = './lzu-learned_retinanet_r50_fpn_argoverse-hd-0.5x.py'

model = dict(
    data_preprocessor=dict(zoom=dict(attraction_fwhm=13, separable=False, labels='warped'))
)
