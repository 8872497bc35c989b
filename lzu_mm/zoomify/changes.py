"""What has to change in a config for its model to zoom and unzoom (LZU)."""

from __future__ import annotations

import copy
import inspect
from typing import Any

from .pipelines import moving, without_crops
from .zoomed import Zoomed

__all__ = ['zoom_config']

_PREPROCESSORS = {
    'DetDataPreprocessor': 'lzu_mm.ZoomDetDataPreprocessor',
    'SegDataPreProcessor': 'lzu_mm.ZoomSegDataPreProcessor',
    'Det3DDataPreprocessor': 'lzu_mm.ZoomDet3DDataPreprocessor',
}
# Their maps belong to the image as it was taken.
_MAPS_OF_THE_IMAGE = ('lzu_mm.FixedSaliency', 'lzu_mm.HorizonSaliency')
_SLIDE = ('mode', 'crop_size', 'stride')


def zoom_config(base: dict[str, Any], zoom: dict[str, Any]) -> Zoomed:
    """Switch the zoom on in a config of MMDetection, MMSegmentation or MMDetection3D.

    Args:
        base: The config, as ``Config.to_dict`` gives it.
        zoom: The ``zoom`` of the data preprocessor; see
            :class:`lzu_mm.data_preprocessors.ZoomSettings`.

    Returns:
        The config that zooms, and why each setting changed.

    Raises:
        ValueError: If the config has no data preprocessor, neck or dataset that can be zoomed.
    """
    if not isinstance(base.get('model'), dict):
        raise ValueError('the base config has no model: choose one with model=dict(type=…)')
    zoomed = Zoomed(base)
    kind = _zoom(zoomed, zoom)
    _import_lzu(zoomed.config)
    _unzoom(zoomed)
    _test_whole_images(zoomed)
    _train_on_whole_images(zoomed, zoom)
    if zoom['saliency']['type'] == 'lzu_mm.TemporalSaliency':
        if kind != 'DetDataPreprocessor':
            raise ValueError(
                'temporal saliency reads 2D detections, which only MMDetection models leave: take '
                'another --saliency'
            )
        _test_on_videos(zoomed)
    return zoomed


def _zoom(zoomed: Zoomed, zoom: dict[str, Any]) -> str:
    """Swap the data preprocessor wherever it stands; returns the stock one's name."""
    config = zoomed.config
    # MMSegmentation's configs hold it at the top level too, for their children.
    places = _places(config)
    names = {str(place['data_preprocessor'].get('type', '')) for place in places}
    name = min(names, default='').rpartition('.')[2]
    if len(names) != 1 or name not in _PREPROCESSORS:
        raise ValueError(
            'the base config is without a supported preprocessor: model.data_preprocessor.type is '
            f'{" and ".join(map(repr, sorted(names))) or None}, and the zoom extends '
            f'{", ".join(_PREPROCESSORS)}. A subclass of these needs a subclass of the zoom'
        )
    for place in places:
        place['data_preprocessor'].update(type=_PREPROCESSORS[name], zoom=copy.deepcopy(zoom))
    zoomed.note(
        'data_preprocessor' if places[0] is config else 'model',
        'The preprocessor zooms before it normalises and pads, as inherited.',
    )
    return name


def _places(config: dict[str, Any]) -> list[dict[str, Any]]:
    return [place for place in (config, config['model']) if place.get('data_preprocessor')]


def _import_lzu(config: dict[str, Any]) -> None:
    imports = config.get('custom_imports') or dict(imports=[], allow_failed_imports=False)
    names = imports['imports']
    names = [names] if isinstance(names, str) else list(names)
    if 'lzu_mm' not in names:
        config['custom_imports'] = {**imports, 'imports': [*names, 'lzu_mm']}


def _unzoom(zoomed: Zoomed) -> None:
    model = zoomed.config['model']
    neck = model.get('neck')
    if isinstance(neck, (list, tuple)) or (neck and 'inner' in neck):
        # Several necks, or one with a setting that UnzoomNeck would take for its own.
        model['neck'] = dict(type='lzu_mm.UnzoomNeck', inner=neck)
        note = 'What the stock neck hands to the heads is unzoomed.'
    elif neck:
        model['neck'] = {**neck, 'type': 'lzu_mm.UnzoomNeck', 'inner': neck['type']}
        note = 'Behind the stock neck, whose settings are inherited, its levels are unzoomed.'
    else:
        model['neck'] = dict(type='lzu_mm.UnzoomNeck')
        note = 'There is no neck: the levels of the backbone are unzoomed, those that heads read.'
    zoomed.note('model', note)


def _test_whole_images(zoomed: Zoomed) -> None:
    model = zoomed.config['model']
    test_cfg = model.get('test_cfg')
    if isinstance(test_cfg, dict) and test_cfg.get('mode') == 'slide':
        kept = {key: value for key, value in test_cfg.items() if key not in _SLIDE}
        model['test_cfg'] = {**kept, 'mode': 'whole'}
        zoomed.note('model', 'Slide inference would crop the zoomed image.')


def _train_on_whole_images(zoomed: Zoomed, zoom: dict[str, Any]) -> None:
    found = False
    for setting in ('train_dataloader', 'custom_hooks'):
        for holder, key in zoomed.pipelines(setting):
            stock = holder[key]
            pipeline, crops = without_crops(stock)
            if crops:
                found = True
                without = list(dict.fromkeys(crops))
                if str(stock).count('RandomResize') > str(pipeline).count('RandomResize'):
                    without.append('random resize before it')
                name = zoomed.replace_pipeline(holder, key, pipeline)
                zoomed.note(
                    name or setting, f'Whole images are zoomed: no {" and no ".join(without)}.'
                )
            if zoom['saliency']['type'] in _MAPS_OF_THE_IMAGE:
                zoomed.moving += moving(pipeline)
    places = [place['data_preprocessor'] for place in _places(zoomed.config)]
    if found and zoom.get('scale') == 1 and places[0].get('size') is not None:
        # Where the zoom changes the size, the preprocessor pads to the zoomed images by itself.
        for preprocessor in places:
            preprocessor.update(size=None, size_divisor=1)
        zoomed.note('model', 'Batches are padded to their largest image, not to a crop.')


def _test_on_videos(zoomed: Zoomed) -> None:
    loaders = [name for name in ('val_dataloader', 'test_dataloader') if zoomed.config.get(name)]
    for loader in loaders:
        zoomed.config[loader].update(
            batch_size=1, sampler=dict(type='lzu_mm.SequenceSampler', shuffle=False)
        )
        zoomed.note(
            loaders[0],
            'Validation and test take the frames one by one, in order, and whole videos per '
            'process.',
        )
        for holder, key in zoomed.pipelines(loader):
            pipeline = [_pack_video(transform) for transform in holder[key]]
            if pipeline != holder[key]:
                name = zoomed.replace_pipeline(holder, key, pipeline)
                zoomed.note(name or loaders[0], 'Samples say which frame of which video they are.')


def _pack_video(transform: dict[str, Any]) -> dict[str, Any]:
    """A transform that hands on the video's id and the frame's, if it packs."""
    if not str(transform['type']).endswith('PackDetInputs'):
        return transform
    from mmdet.datasets.transforms import PackDetInputs

    default = inspect.signature(PackDetInputs).parameters['meta_keys'].default
    keys = transform.get('meta_keys', default)
    missing = [key for key in ('video_id', 'frame_id') if key not in keys]
    return {**transform, 'meta_keys': (*keys, *missing)} if missing else transform
