# FOVEA (LKDE): boxes are learned in the zoomed frame and predicted ones come back through the warp,
# in place of unzooming features.
_base_ = './lzu-learned-kde_faster-rcnn_r50_fpn_argoverse-hd-0.5x.py'

model = dict(data_preprocessor=dict(zoom=dict(attraction_fwhm=4, labels='warped')))
