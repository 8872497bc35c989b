# mini-street (benchmarks/make_mini_street.py) in the layout of Argoverse-HD. The environment variable
# MINI_STREET moves it elsewhere.
_base_ = './argoverse_hd.py'

data_root = '{{$MINI_STREET:data/mini_street}}/argoverse_hd/'
saliency_file = '{{$MINI_STREET:data/mini_street}}/saliency/argoverse_hd.npz'
# The narrow map of centres, for the equalising warp.
centres_file = '{{$MINI_STREET:data/mini_street}}/saliency/argoverse_hd_centres.npz'

train_dataloader = dict(batch_size=8, dataset=dict(data_root=data_root))
val_dataloader = dict(batch_size=4, dataset=dict(data_root=data_root))
test_dataloader = val_dataloader

val_evaluator = dict(ann_file=data_root + 'Argoverse-HD/annotations/val.json')
test_evaluator = val_evaluator
