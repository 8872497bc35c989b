# FOVEA (S_D): boxes are learned in the zoomed frame and predicted ones come back through the warp,
# in place of unzooming features.
_base_ = './lzu-fixed_retinanet_r18_fpn_mini-street-0.5x.py'

model = dict(data_preprocessor=dict(zoom=dict(attraction_fwhm=4, labels='warped')))
