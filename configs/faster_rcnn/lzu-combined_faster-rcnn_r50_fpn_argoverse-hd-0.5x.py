# Combined saliency (S_C): half where the previous frame had objects (S_I), half where the training
# set has them (S_D).
_base_ = './lzu-adaptive_faster-rcnn_r50_fpn_argoverse-hd-0.5x.py'

model = dict(
    data_preprocessor=dict(
        zoom=dict(
            saliency=dict(
                _delete_=True,
                type='lzu_mm.CombinedSaliency',
                members=[
                    dict(type='lzu_mm.TemporalSaliency'),
                    dict(
                        type='lzu_mm.FixedSaliency',
                        path='data/saliency/argoverse_hd.npz',
                    ),
                ],
                weights=[0.5, 0.5],
            )
        )
    )
)
