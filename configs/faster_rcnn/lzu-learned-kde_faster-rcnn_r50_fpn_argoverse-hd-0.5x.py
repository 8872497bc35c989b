# FOVEA's LKDE: adaptive saliency whose bandwidth and amplitude are learned, slowly and without
# decay.
_base_ = './lzu-adaptive_faster-rcnn_r50_fpn_argoverse-hd-0.5x.py'

model = dict(data_preprocessor=dict(zoom=dict(saliency=dict(type='lzu_mm.LearnedKDE'))))
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'saliency.theta': dict(lr_mult=0.005, decay_mult=0)})
)
# Images whose boxes are all dropped leave them without a gradient.
find_unused_parameters = True
