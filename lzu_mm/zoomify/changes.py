"""What has to change in a config for its model to zoom and unzoom (LZU)."""

from __future__ import annotations

import copy
import inspect
from typing import Any

from mmengine.config import Config

from ..necks.frame import frame_of
from ..pipelines import type_name
from ..saliency.learned import likely_value_range
from .frame import follow_frame
from .pipelines import whole_images
from .source import settings_of
from .zoomed import Zoomed

__all__ = ['zoom_config']

_PREPROCESSORS = {
    'DetDataPreprocessor': 'lzu_mm.ZoomDetDataPreprocessor',
    'SegDataPreProcessor': 'lzu_mm.ZoomSegDataPreProcessor',
    'Det3DDataPreprocessor': 'lzu_mm.ZoomDet3DDataPreprocessor',
}
# Why others cannot be zoomed, and what to do instead.
_NOT_ZOOMED = {
    'BoxInstDataPreprocessor': (
        'BoxInst learns from the colours of neighbouring pixels, which a zoom moves apart: take '
        'another model'
    ),
    'TrackDataPreprocessor': (
        'a tracker takes clips of several frames: zoomify the config of its detector '
        '(model.detector), and track with the detections'
    ),
    'ReIDDataPreprocessor': (
        'it identifies crops that hold one object each, so that there is nothing to zoom into: '
        'zoomify the detector that finds them'
    ),
}
_UNZOOM_SETTINGS = {'inner', 'antialias', 'frame', 'link'}
# Their maps are of the original image, wherever the pipeline has put it.
_OF_ORIGINALS = ('lzu_mm.FixedSaliency', 'lzu_mm.HorizonSaliency', 'lzu_mm.TemporalSaliency')
_SLIDE = ('mode', 'crop_size', 'stride')


def zoom_config(
    base: dict[str, Any], zoom: dict[str, Any], unzoom: dict[str, Any] | None = None
) -> Zoomed:
    """Switch the zoom on in a config of MMDetection, MMSegmentation or MMDetection3D.

    Args:
        base: The config, as ``Config.to_dict`` gives it.
        zoom: The ``zoom`` of the data preprocessor; see
            :class:`lzu_mm.data_preprocessors.ZoomSettings`.
        unzoom: Settings of :class:`lzu_mm.necks.UnzoomNeck`: ``antialias``, ``frame``. Heads
            follow a finer frame.

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
    _unzoom(zoomed, unzoom or {})
    _test_whole_images(zoomed)
    _train_on_whole_images(zoomed, zoom)
    if zoom['saliency']['type'] in _OF_ORIGINALS:
        _refuse_centred(zoomed)
    if zoom['saliency']['type'] == 'lzu_mm.TemporalSaliency':
        if kind != 'DetDataPreprocessor':
            raise ValueError(
                'temporal saliency reads 2D detections, which only MMDetection models leave: take '
                'another --saliency'
            )
        _test_on_videos(zoomed)
    return zoomed


def _zoom(zoomed: Zoomed, zoom: dict[str, Any]) -> str:
    """Replace all data preprocessors; returns the name of the stock one."""
    config = zoomed.config
    preprocessors = _preprocessors(config)
    names = set(map(type_name, preprocessors))
    name = min(names, default='')
    if len(names) != 1 or name not in _PREPROCESSORS:
        raise ValueError(_no_preprocessor(names))
    saliency = {**zoom['saliency'], **_images_of(config, preprocessors[0], zoom)}
    zoomed.zoom = {**zoom, 'saliency': saliency}
    for preprocessor in preprocessors:
        preprocessor.update(type=_PREPROCESSORS[name], zoom=copy.deepcopy(zoomed.zoom))
    zoomed.note(
        'data_preprocessor' if config.get('data_preprocessor') else 'model',
        'The preprocessor zooms before it normalises and pads, as inherited.',
    )
    return name


def _images_of(
    config: dict[str, Any], preprocessor: dict[str, Any], zoom: dict[str, Any]
) -> dict[str, Any]:
    """What a learned saliency has to know of unusual images."""
    if zoom['saliency']['type'] != 'lzu_mm.LearnedSaliency':
        return {}
    mean, std = preprocessor.get('mean'), preprocessor.get('std')
    backbone = config['model'].get('backbone') or {}
    channels = len(mean) if mean and len(mean) > 1 else backbone.get('in_channels', 3)
    settings = dict(channels=channels) if channels != 3 else {}
    values = likely_value_range(mean, std) if mean and std else (0, 255)
    return settings if values == (0, 255) else {**settings, 'value_range': values}


def _no_preprocessor(names: set[str]) -> str:
    if not names:
        return (
            'the base config has no model.data_preprocessor, which the zoom extends: set one, such '
            "as dict(type='DetDataPreprocessor', mean=…, std=…)"
        )
    known = sorted(names & set(_NOT_ZOOMED))
    if known:
        return f'a model with {known[0]} cannot be zoomed: {_NOT_ZOOMED[known[0]]}'
    if {kind.rpartition('.')[2] for kind in _PREPROCESSORS.values()} & names:
        return 'the base config zooms already: change its model.data_preprocessor.zoom'
    return (
        'the base config has no supported preprocessor: model.data_preprocessor.type is '
        f'{" and ".join(map(repr, sorted(names)))}, and the zoom extends '
        f'{", ".join(_PREPROCESSORS)}. A subclass of these needs a subclass of the zoom'
    )


def _preprocessors(config: dict[str, Any]) -> list[dict[str, Any]]:
    """All data preprocessors that see images, also inside a MultiBranchDataPreprocessor."""
    # MMSegmentation's configs hold one at the top level too, for their children.
    places = [config, config['model'], config['model'].get('detector') or {}]
    found = [place['data_preprocessor'] for place in places if place.get('data_preprocessor')]
    branching = 'MultiBranchDataPreprocessor'
    return [one['data_preprocessor'] if type_name(one) == branching else one for one in found]


def _import_lzu(config: dict[str, Any]) -> None:
    imports = config.get('custom_imports') or dict(imports=[], allow_failed_imports=False)
    names = imports['imports']
    names = [names] if isinstance(names, str) else list(names)
    if 'lzu_mm' not in names:
        config['custom_imports'] = {**imports, 'imports': [*names, 'lzu_mm']}


def _unzoom(zoomed: Zoomed, unzoom: dict[str, Any]) -> None:
    model = zoomed.config['model']
    # Student and teacher of semi-supervised detectors are copies of one detector.
    holder = model['detector'] if isinstance(model.get('detector'), dict) else model
    holder['neck'], note = _unzoomed(holder.get('neck'))
    holder['neck'].update(unzoom)
    zoomed.note('model', note)
    if 'frame' in unzoom:
        scope = zoomed.config.get('default_scope') or 'mmdet'
        heads = follow_frame(holder, frame_of(unzoom['frame']), scope)
        if heads:
            zoomed.note('model', f'On the finer frame, {" and ".join(heads)} has finer strides.')
    if model.get('teacher_neck'):
        model['teacher_neck'], _ = _unzoomed(model['teacher_neck'])
    elif model.get('teacher_config'):
        model['teacher_config'] = _unzoomed_teacher(model['teacher_config'])
    else:
        return
    zoomed.note('model', 'The teacher sees zoomed images too, and is unzoomed as well.')


def _unzoomed(neck: Any) -> tuple[dict[str, Any], str]:
    """The neck that unzooms what a stock neck returns, and the note for it."""
    if isinstance(neck, (list, tuple)) or (neck and _UNZOOM_SETTINGS & set(neck)):
        # Several necks, or one with a setting that UnzoomNeck would take for its own.
        inner = dict(type='lzu_mm.UnzoomNeck', inner=neck)
        return inner, 'What the stock neck returns is unzoomed.'
    if neck:
        return (
            {**neck, 'type': 'lzu_mm.UnzoomNeck', 'inner': neck['type']},
            'The levels of the stock neck, whose settings are inherited, are unzoomed.',
        )
    return (
        dict(type='lzu_mm.UnzoomNeck'),
        'There is no neck: the levels of the backbone that heads read are unzoomed.',
    )


def _unzoomed_teacher(config: Any) -> dict[str, Any]:
    """The config of a teacher whose neck unzooms; it has no use for a preprocessor."""
    if isinstance(config, str):
        try:
            config = settings_of(Config.fromfile(config))
        except FileNotFoundError as error:
            raise ValueError(
                f'model.teacher_config={config!r} is not found from here: give its path from the '
                'folder that you train in, and zoomify there'
            ) from error
    neck, _ = _unzoomed(config['model'].get('neck'))
    return dict(model={**config['model'], 'neck': neck})


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
            pipeline, removed = whole_images(holder[key])
            if not removed:
                continue
            found = True
            name = zoomed.replace_pipeline(holder, key, pipeline)
            without = ', no '.join(dict.fromkeys(removed))
            zoomed.note(name or setting, f'Whole images are zoomed: no {without}.')
    preprocessors = _preprocessors(zoomed.config)
    if found and zoom.get('scale') == 1 and preprocessors[0].get('size') is not None:
        # Where the zoom changes the size, the preprocessor pads to the zoomed images by itself.
        for preprocessor in preprocessors:
            preprocessor.update(size=None, size_divisor=1)
        zoomed.note('model', 'Batches are padded to their largest image, not to a crop.')


def _refuse_centred(zoomed: Zoomed) -> None:
    """Refuse tests on images in the middle of a canvas, which CornerNet and CenterNet need."""
    for setting in ('test_dataloader', 'val_dataloader'):
        for holder, key in zoomed.pipelines(setting):
            if any('CenterCropPad' in type_name(transform) for transform in holder[key]):
                raise ValueError(
                    f'RandomCenterCropPad in {setting} puts images in the middle of a canvas, '
                    'where a map of the original image cannot follow: take --saliency learned or '
                    'uniform'
                )


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
    """A packing transform that also passes on the ids of video and frame."""
    if not str(transform['type']).endswith('PackDetInputs'):
        return transform
    from mmdet.datasets.transforms import PackDetInputs

    default = inspect.signature(PackDetInputs).parameters['meta_keys'].default
    keys = transform.get('meta_keys', default)
    missing = [key for key in ('video_id', 'frame_id') if key not in keys]
    return {**transform, 'meta_keys': (*keys, *missing)} if missing else transform
