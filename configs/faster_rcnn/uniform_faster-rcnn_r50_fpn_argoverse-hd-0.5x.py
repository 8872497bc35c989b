# The baseline, plain downsampling: the same preprocessor with a constant saliency. The unzoom neck
# then has nothing to do and passes its features on.
_base_ = './lzu-fixed_faster-rcnn_r50_fpn_argoverse-hd-0.5x.py'

model = dict(
    data_preprocessor=dict(
        zoom=dict(saliency=dict(_delete_=True, type='lzu_mm.UniformSaliency')),
    )
)
