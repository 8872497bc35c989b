import copy

import pytest
from mmengine.config import Config
from mmseg.models import SegDataPreProcessor

from lzu_mm.zoomify import difference, settings_of, zoom_config

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


def test_the_wrapper_that_mixes_images_stays_without_what_mixes():
    inner = dict(type='Coco', pipeline=[dict(type='Load')])
    mixed = [dict(type='Mosaic', img_scale=(8, 8)), dict(type='MixUp'), dict(type='Pack')]
    dataset = dict(type='MultiImageMixDataset', dataset=inner, pipeline=mixed)
    base = {**BASE, 'train_pipeline': mixed, 'train_dataloader': dict(dataset=dataset)}
    delta, zoomed = changes(base, 'Learned')
    whole = [dict(type='Resize', scale=(8, 8), keep_ratio=True), dict(type='Pack')]
    # Hooks of YOLOX ask the wrapper to skip what is no longer there.
    assert delta['train_dataloader'] == dict(dataset=dict(pipeline=whole))
    assert zoomed.notes['train_pipeline'] == ['Whole images are zoomed: no Mosaic, no MixUp.']


@pytest.mark.parametrize(
    ('kind', 'reason'),
    [
        ('BoxInstDataPreprocessor', 'colours of neighbouring pixels.*another model'),
        ('mmdet.TrackDataPreprocessor', 'zoomify the config of its detector'),
        ('ReIDDataPreprocessor', 'zoomify the detector'),
        ('Mine', 'no supported preprocessor'),
        ('lzu_mm.ZoomDetDataPreprocessor', 'zooms already'),
    ],
)
def test_other_preprocessors_are_refused_with_reason_and_remedy(kind, reason):
    with pytest.raises(ValueError, match=reason):
        changes(model_with(data_preprocessor=dict(type=kind)))


def test_without_a_preprocessor_there_is_nothing_to_extend():
    with pytest.raises(ValueError, match=r'has no model\.data_preprocessor'):
        changes(model_with(data_preprocessor=None))


UNZOOM = dict(type='lzu_mm.UnzoomNeck', inner='FPN')


def test_the_detector_of_a_semi_supervised_one_is_unzoomed():
    inner = dict(type='DetDataPreprocessor', mean=[0])
    outer = dict(type='MultiBranchDataPreprocessor', data_preprocessor=inner)
    detector = dict(type='FasterRCNN', neck=dict(type='FPN', a=1), data_preprocessor=inner)
    model = dict(type='SoftTeacher', detector=detector, data_preprocessor=outer)
    delta, _ = changes(dict(model=model))
    swapped = delta['model']['data_preprocessor'].pop('data_preprocessor')
    assert swapped['type'] == 'lzu_mm.ZoomDetDataPreprocessor'
    # The preprocessor of branches stays, and the detector's own zooms alike.
    assert delta['model'] == dict(
        data_preprocessor={}, detector=dict(neck=UNZOOM, data_preprocessor=swapped)
    )


def test_teachers_are_unzoomed_as_their_students(tmp_path):
    preprocessor, neck = dict(type='DetDataPreprocessor'), dict(type='FPN', a=1)
    model = dict(data_preprocessor=preprocessor, neck=neck)
    delta, zoomed = changes(dict(model=dict(model, teacher_neck=neck)))
    assert delta['model']['teacher_neck'] == delta['model']['neck'] == UNZOOM
    assert 'teacher' in zoomed.notes['model'][-1]
    (tmp_path / 'teacher.py').write_text(f'model = dict(type="GFL", neck={neck})')
    delta, _ = changes(dict(model=dict(model, teacher_config=str(tmp_path / 'teacher.py'))))
    teacher = dict(type='GFL', neck=dict(UNZOOM, a=1))
    assert delta['model']['teacher_config'] == dict(_delete_=True, model=teacher)
    with pytest.raises(ValueError, match='is not found from here'):
        changes(dict(model=dict(model, teacher_config='nowhere.py')))


def test_images_in_the_middle_of_a_canvas_take_no_map_of_the_original():
    centred = dict(type='RandomCenterCropPad', test_mode=True)
    base = {**BASE, 'test_dataloader': dict(dataset=dict(pipeline=[centred]))}
    for saliency in ('Fixed', 'Horizon'):
        with pytest.raises(ValueError, match=r'RandomCenterCropPad.*--saliency learned'):
            changes(base, saliency)
    assert 'test_dataloader' not in changes(base, 'Learned')[0]


def test_a_preprocessor_may_be_a_class():
    delta, _ = changes(model_with(data_preprocessor=dict(type=SegDataPreProcessor)))
    assert delta['model']['data_preprocessor']['type'] == 'lzu_mm.ZoomSegDataPreProcessor'


def test_padding_to_crops_goes_where_the_zoom_would_keep_it():
    preprocessor = changes(BASE, scale=1)[0]['model']['data_preprocessor']
    assert (preprocessor['size'], preprocessor['size_divisor']) == (None, 1)
    whole = {**BASE, 'train_dataloader': dict(dataset=dict(pipeline=[dict(type='Load')]))}
    assert 'size' not in changes(whole, scale=1)[0]['model']['data_preprocessor']


def test_a_finer_frame_reaches_neck_and_heads():
    path = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'
    stock = settings_of(Config.fromstring(f"_base_ = '{path}'", '.py'))
    zoom = dict(scale=0.5, saliency=dict(type='lzu_mm.UniformSaliency'))
    zoomed = zoom_config(stock, zoom, dict(antialias=True, frame=2))
    model = zoomed.config['model']
    assert model['neck']['antialias'] is True
    assert model['neck']['frame'] == 2
    assert model['bbox_head']['anchor_generator']['strides'] == [4, 8, 16, 32, 64]
    assert any('bbox_head' in note for note in zoomed.notes['model'])


@pytest.mark.parametrize(
    ('mean', 'in_channels', 'expected'),
    [
        ([103.53, 116.28, 123.675], 3, {}),
        ([127.0], 1, dict(channels=1)),
        ([20000.0] * 4, 4, dict(channels=4, value_range=(0, 65535))),
        ([0.485, 0.456, 0.406], 3, dict(value_range=(0, 1))),
        (None, 1, dict(channels=1)),
    ],
)
def test_a_learned_saliency_is_told_of_unusual_images(mean, in_channels, expected):
    base = model_with(
        backbone=dict(type='ResNet', in_channels=in_channels),
        data_preprocessor=dict(PREPROCESSOR, mean=mean, std=mean),
    )
    zoom = changes(base, 'Learned')[0]['model']['data_preprocessor']['zoom']
    assert zoom['saliency'] == dict(type='lzu_mm.LearnedSaliency', **expected)
    zoom = changes(base)[0]['model']['data_preprocessor']['zoom']
    assert zoom['saliency'] == dict(type='lzu_mm.UniformSaliency')
