# An ablation: unzooms what the backbone gives, in front of the FPN instead of behind it. The keys of
# a list of necks are numbered, so that `load_from` finds the backbone and the head, not the FPN.
_base_ = './lzu-fixed_retinanet_r18_fpn_mini-street-0.25x.py'

weights = 'work_dirs/retinanet_r18_fpn_mini-street-pretrain/epoch_45.pth'
model = dict(
    neck=[
        dict(type='lzu_mm.UnzoomNeck'),
        dict(
            type='FPN',
            in_channels=[32, 64, 128, 256],
            out_channels=64,
            add_extra_convs='on_input',
            num_outs=5,
            init_cfg=dict(type='Pretrained', checkpoint=weights, prefix='neck.'),
        ),
    ],
)
