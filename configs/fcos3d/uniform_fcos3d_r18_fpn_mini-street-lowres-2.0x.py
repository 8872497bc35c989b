# Learning to upsample: the source is low resolution already (the pipeline shrinks it to 0.25x, the
# camera with it), and the zoom lays it out twice as large. This is its baseline, plainly enlarged.
_base_ = './uniform_fcos3d_r18_fpn_mini-street-0.25x.py'

model = dict(data_preprocessor=dict(zoom=dict(scale=2.0)))

# Unlike mmdet.Resize, this one shrinks cam2img and centers_2d as well.
shrink = dict(type='Resize3D', scale_factor=0.25)
train_pipeline = [*_base_.train_pipeline[:2], shrink, *_base_.train_pipeline[3:]]
test_pipeline = [_base_.test_pipeline[0], shrink, *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
