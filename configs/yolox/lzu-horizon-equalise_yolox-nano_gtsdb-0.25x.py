# No labels: the rows of the horizon, read off a few frames, and what stands above them.
_base_ = './lzu-equalise_yolox-nano_gtsdb-0.25x.py'

look = dict(type='lzu_mm.HorizonSaliency', row=0.63, falloff_above=0.2, falloff_below=0.1)
model = dict(data_preprocessor=dict(zoom=dict(saliency=dict(_delete_=True, **look))))
