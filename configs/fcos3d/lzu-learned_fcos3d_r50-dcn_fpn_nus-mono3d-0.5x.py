# Learned saliency: a small CNN looks at a low-resolution copy of the image, trained by the task's
# loss alone.
_base_ = './lzu-fixed_fcos3d_r50-dcn_fpn_nus-mono3d-0.5x.py'

model = dict(
    data_preprocessor=dict(
        zoom=dict(saliency=dict(_delete_=True, type='lzu_mm.LearnedSaliency', grid_shape=(27, 48)))
    )
)
