import copy

from lzu_mm.zoomify import difference, zoom_config

PREPROCESSOR = dict(type='SegDataPreProcessor', size=(8, 8))
CROPPED = [dict(type='Load'), dict(type='RandomCrop', crop_size=(8, 8))]
BASE = dict(
    model=dict(
        data_preprocessor=PREPROCESSOR,
        backbone=dict(out_indices=(0, 1, 2, 3)),
        decode_head=dict(in_index=3),
        auxiliary_head=[dict(in_index=2), dict(in_index=1)],
        test_cfg=dict(mode='slide', crop_size=(8, 8), stride=(4, 4), logits=True),
    ),
    train_pipeline=CROPPED,
    train_dataloader=dict(dataset=dict(type='Repeat', dataset=dict(pipeline=CROPPED))),
)


def changes(base, saliency='Uniform', scale=0.5):
    zoom = dict(scale=scale, saliency=dict(type=f'lzu_mm.{saliency}Saliency'))
    stock = copy.deepcopy(base)
    zoomed = zoom_config(base, zoom)
    assert base == stock
    return difference(base, zoomed.config), zoomed


def model_with(**settings):
    return {**BASE, 'model': {**BASE['model'], **settings}}


def test_all_changes_of_a_config_by_hand():
    delta, zoomed = changes(BASE)
    zoom = dict(scale=0.5, saliency=dict(type='lzu_mm.UniformSaliency'))
    whole = [dict(type='Load')]
    assert delta == dict(
        custom_imports=dict(imports=['lzu_mm'], allow_failed_imports=False),
        model=dict(
            data_preprocessor=dict(type='lzu_mm.ZoomSegDataPreProcessor', zoom=zoom),
            neck=dict(type='lzu_mm.UnzoomNeck'),
            test_cfg=dict(_delete_=True, logits=True, mode='whole'),
        ),
        train_pipeline=whole,
        train_dataloader=dict(dataset=dict(dataset=dict(pipeline=whole))),
    )
    assert list(zoomed.notes) == ['model', 'train_pipeline']


def test_a_neck_with_settings_like_those_of_the_unzoom_is_kept_whole():
    neck = dict(type='Mine', inner=5)
    delta, _ = changes(model_with(neck=neck))
    inner = dict(_delete_=True, **neck)
    assert delta['model']['neck'] == dict(type='lzu_mm.UnzoomNeck', inner=inner)


def test_the_preprocessor_may_stand_at_the_top_level_only():
    base = model_with(data_preprocessor=None)
    delta, zoomed = changes({**base, 'data_preprocessor': PREPROCESSOR})
    assert delta['data_preprocessor']['type'] == 'lzu_mm.ZoomSegDataPreProcessor'
    assert 'data_preprocessor' not in delta['model']
    assert 'data_preprocessor' in zoomed.notes


def test_imports_of_the_base_are_kept():
    imports = dict(imports=['mine'], allow_failed_imports=True)
    delta, _ = changes({**BASE, 'custom_imports': imports})
    assert delta['custom_imports'] == dict(imports=['mine', 'lzu_mm'])
    imports['imports'].append('lzu_mm')
    assert 'custom_imports' not in changes({**BASE, 'custom_imports': imports})[0]


def test_only_maps_of_the_whole_image_do_not_follow_its_content():
    pipeline = [dict(type='Load'), dict(type='Mosaic')]
    base = {**BASE, 'train_dataloader': dict(dataset=dict(pipeline=pipeline))}
    assert changes(base, 'Horizon')[1].moving == ['Mosaic']
    assert changes(base, 'Learned')[1].moving == []


def test_padding_to_crops_goes_where_the_zoom_would_keep_it():
    preprocessor = changes(BASE, scale=1)[0]['model']['data_preprocessor']
    assert (preprocessor['size'], preprocessor['size_divisor']) == (None, 1)
    whole = {**BASE, 'train_dataloader': dict(dataset=dict(pipeline=[dict(type='Load')]))}
    assert 'size' not in changes(whole, scale=1)[0]['model']['data_preprocessor']
