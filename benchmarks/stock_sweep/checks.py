"""The checks that a config goes through, and what is said of it."""

from __future__ import annotations

import copy
import re
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope
from mmengine.utils import get_installed_path
from torch import Tensor

from lzu_mm.zoomify import child_source, settings_of, try_model, zoom_config
from lzu_mm.zoomify.trial import spare_a_crash

from .twins import Twins, flatten, resized, seed

__all__ = ['check']

STRONG = dict(
    type='lzu_mm.HorizonSaliency',
    row=0.3,
    column=0.7,
    falloff_below=0.1,
    falloff_above=0.1,
    falloff_sides=0.1,
    floor=0.1,
)
LEARNED = dict(type='lzu_mm.LearnedSaliency', grid_shape=(15, 25), input_size=(48, 80))
# (h, w) of the images that zoomify tries a model with: smaller than by default, for speed.
TRIED = (64, 64)
UNIFORM = dict(type='lzu_mm.UniformSaliency')
# Shorter sides of the images to try: small ones, and such that suit models made for one size.
SIDES = (128, 448, 853)


# What stock models say of images that are too small for them.
_TOO_SMALL = re.compile('too small|smaller|kernel|must match|out of range|ill-defined|more than 1')


# A backbone inside a backbone, or one of a learned saliency.
_BELONGS_ELSEWHERE = re.compile(r'backbone\.|saliency\.')


class WrongError(Exception):
    """A result that differs from what it has to be."""


class Checks:
    """The checks of one config, in order.

    Args:
        name: The config.
        folder: For files.

    Attributes:
        stage: The check that runs.
        notes: What was measured.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.library = name.partition('::')[0]
        self.stage = 'load'
        self.notes: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        """Run them all.

        Returns:
            ``status`` (works, refused, fails, wrong, upstream), ``stage``, ``reason`` and what was
            measured.
        """
        status, reason = 'works', ''
        try:
            self.reference, self.stock_config = _load(self.name, self.folder)
        except Exception as error:
            return self._result('upstream', _last(error))
        self.base = settings_of(self.stock_config)
        init_default_scope(self.base.get('default_scope') or self.library)
        try:
            self._zoomify()
        except ValueError as error:
            status, reason = 'refused', _last(error)
        except Exception as error:
            status, reason = 'fails', _last(error)
        if status == 'works':
            status, reason = self._at_sides()
        elif 'model does not' in reason or status == 'fails':
            # Is the stock model the one that does not run here?
            stock = self._stock_alone()
            if stock:
                status, reason = 'upstream', stock
        return self._result(status, reason)

    def _result(self, status: str, reason: str) -> dict[str, Any]:
        return dict(status=status, stage=self.stage, reason=reason, **self.notes)

    def _zoomify(self) -> None:
        self.stage = 'zoomify'
        try:
            self._write(self._zoom(STRONG), size=TRIED)
        except ValueError as error:
            # The remedies that it names.
            sizes = _sizes_named(str(error))
            if sizes is not None:
                self.notes['size'] = sizes
            elif 'take --saliency learned' in str(error):
                self.notes['saliency'] = 'learned'
            elif 'does not run' not in str(error):
                raise
            self._write(self._zoom(self._strongest))

    def _write(self, zoom: dict[str, Any], **trial: Any) -> None:
        zoomed = zoom_config(copy.deepcopy(self.base), zoom)
        source = child_source(self.reference, self.base, zoomed.config, 'LZU.', zoomed.notes)
        path = self.folder / 'child.py'
        path.write_text(source)
        child = Config.fromfile(path)
        if settings_of(child) != zoomed.config:
            raise WrongError('the child does not say what it is meant to')
        self.child = child
        self.notes['zoomify_notes'] = {k: v for k, v in zoomed.notes.items() if v}
        self.notes['untried'] = try_model(child, zoom, self.stock_config, **trial)

    def _at_sides(self) -> tuple[str, str]:
        stock, child = self.stock_config.to_dict(), self.child.to_dict()
        for side in SIDES:
            self.twins = Twins(self.library, stock, child, self.folder, side)
            status, reason = self._at_side()
            if status not in ('upstream', 'fails') or not _TOO_SMALL.search(reason):
                break
        return status, reason

    def _at_side(self) -> tuple[str, str]:
        try:
            self.stage = 'stock predicts'
            self.stock = self.twins.model()
            data = self.twins.test_batch(zoomed=False)
            if 'size' in self.notes:
                # The stock model takes images of this size alone.
                data = resized(data, self.notes['size'])
            self.expected = _predict(self.stock, data)
        except Exception as error:
            self.notes['traceback'] = _anywhere(traceback.format_exc())[-1500:]
            return 'upstream', _last(error)
        for check in (self._weights, self._uniform, self._half, self._strong, self._train):
            try:
                check()
            except WrongError as error:
                return 'wrong', str(error)
            except Exception as error:
                self.notes['traceback'] = _anywhere(traceback.format_exc())[-1500:]
                return self._blame(_last(error))
        return 'works', ''

    def _blame(self, reason: str) -> tuple[str, str]:
        """Whether the stock model fails alike."""
        if self.stage in ('half', 'strong', 'train'):
            try:
                self._stock_alike()
            except Exception as error:
                return 'upstream', _last(error)
        return 'fails', reason

    def _stock_alike(self) -> None:
        if self.stage in ('half', 'strong'):
            found = _predict(self.stock, self.twins.test_batch(zoomed=False, half=True))
            _require_finite(found)
            _require_finite(self.expected)
        else:
            _step(self.stock, self.twins.train_batch())
            _step(self.stock, self.twins.train_batch(half=True))

    def _stock_alone(self) -> str:
        try:
            stock = self.stock_config.to_dict()
            model = Twins(self.library, stock, stock, self.folder, SIDES[0]).model()
        except Exception as error:
            return _last(error)
        del model
        return ''

    @property
    def _strongest(self) -> dict[str, Any]:
        return LEARNED if self.notes.get('saliency') == 'learned' else STRONG

    def _zoom(self, saliency: dict[str, Any]) -> dict[str, Any]:
        if 'size' in self.notes:
            return dict(size=self.notes['size'], saliency=saliency)
        return dict(scale=0.5, saliency=saliency)

    def _weights(self) -> None:
        self.stage = 'weights'
        zoom = self._zoom(UNIFORM) if 'size' in self.notes else dict(scale=1, saliency=UNIFORM)
        self.one = self.twins.model(zoom, like=self.stock)
        weights = self.one.state_dict()
        if list(weights) != list(self.stock.state_dict()):
            raise WrongError('the state dict has other keys')
        self.stock.load_state_dict(weights, strict=True)

    def _uniform(self) -> None:
        self.stage = 'uniform'
        found = _predict(self.one, self.twins.test_batch(zoomed=True))
        self.notes['uniform_deviation'] = _deviation(found, self.expected)
        if self.notes['uniform_deviation'] > 1e-4:
            raise WrongError(f'deviates by {self.notes["uniform_deviation"]:.2g} from stock')
        del self.one

    def _half(self) -> None:
        self.stage = 'half'
        if 'size' in self.notes:
            return
        model = self.twins.model(self._zoom(UNIFORM), like=self.stock)
        found = _predict(model, self.twins.test_batch(zoomed=True))
        expected = _predict(self.stock, self.twins.test_batch(zoomed=False, half=True))
        if self.library == 'mmdet3d':
            # The stock model leaves 2D boxes in the frame of its input.
            found, expected = (
                {k: v for k, v in one.items() if '_3d' in k} for one in (found, expected)
            )
        deviation = _deviation(found, expected)
        if deviation > 1e-3 and self.library != 'mmdet3d' and not self._same_pixels(model):
            self.notes['half'] = 'by hand'
            data = resized(self.twins.test_batch(zoomed=False))
            deviation = _deviation(found, expected := _predict(self.stock, data))
        self.notes['half_deviation'] = deviation
        if deviation > 1e-3:
            self.notes['half_agreement'] = agreement = _agreement(found, expected)
            if agreement < 0.9:
                raise WrongError(
                    f'only {agreement:.0%} of the predictions lie where those of the stock model '
                    'on the half image do'
                )

    def _same_pixels(self, model: Any) -> bool:
        """Whether the pipeline gives at a half what the zoom makes of its full size."""
        one, other = (
            _canvas(holder.data_preprocessor(data)['inputs'])
            for holder, data in (
                (model, self.twins.test_batch(zoomed=True)),
                (self.stock, self.twins.test_batch(zoomed=False, half=True)),
            )
        )
        return one.shape == other.shape and bool((one - other).abs().max() < 1e-3)

    def _strong(self) -> None:
        self.stage = 'strong'
        model = self.model = self.twins.model(self._zoom(self._strongest), like=self.stock)
        calls = _count_calls(model)
        data = self.twins.test_batch(zoomed=True)
        found = _predict(model, data)
        _require_finite(found)
        _require_unzoomed(calls, 'prediction')
        if self._strongest is STRONG:
            self._require_content(model, data)
        for name, value in found.items():
            if name.endswith(('sem_seg', '.masks', 'seg_logits.data')):
                other = self.expected.get(name)
                if other is not None and other.shape[-2:] != value.shape[-2:]:
                    raise WrongError(f'{name} has the size {tuple(value.shape[-2:])}')

    def _require_content(self, model: Any, data: dict[str, Any]) -> None:
        """The zoom looks where the image's content has the peak of the saliency."""
        preprocessor = model.data_preprocessor
        batch = getattr(preprocessor, 'data_preprocessor', preprocessor).link.batch
        if batch is None or batch.warp is None:
            raise WrongError('no warp was made for the batch')
        images = data['inputs']['img'] if isinstance(data['inputs'], dict) else data['inputs']
        content, offset = _content(data['data_samples'][0].metainfo, images[0].shape[-2:])
        looked = [_looks_at(model, data, axis, content, offset) for axis in (0, 1)]
        wanted = [
            start + share * n
            for start, share, n in zip(offset, (STRONG['column'], STRONG['row']), content)
        ]
        self.notes['looks_at'] = [round(a / b, 3) for a, b in zip(looked, wanted)]
        if any(abs(a - b) > 0.08 * n for a, b, n in zip(looked, wanted, content)):
            raise WrongError(f'the zoom looks at {looked} of the image, not at {wanted}')

    def _train(self) -> None:
        self.stage = 'train'
        calls = _count_calls(self.model)
        losses = _step(self.model, self.twins.train_batch())
        self.notes['loss'] = losses
        _require_unzoomed(calls, 'training')


def check(name: str) -> dict[str, Any]:
    """Run all checks of a config; see :class:`Checks`."""
    started = time.time()
    hub = MessageHub.get_current_instance()
    for key in ('iter', 'epoch'):
        hub.update_info(key, 0)
    hub.update_info('max_iters', 100)
    hub.update_info('max_epochs', 10)
    with tempfile.TemporaryDirectory() as folder:
        result = Checks(name, Path(folder)).run()
    return dict(result, seconds=round(time.time() - started, 1))


def _predict(model: Any, data: dict[str, Any]) -> dict[str, Tensor]:
    seed(0)
    model.eval()
    with torch.no_grad():
        return flatten(model.test_step(copy.deepcopy(data)))


def _step(model: Any, data: dict[str, Any]) -> float:
    """A training step; returns the loss."""
    spare_a_crash(model)
    seed(0)
    model.train()
    outputs = model(**model.data_preprocessor(data, True), mode='loss')
    loss, _ = model.parse_losses(outputs)
    if not loss.isfinite():
        raise FloatingPointError(f'the loss is {loss.item()}')
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    if not gradients or not all(g.isfinite().all() for g in gradients):
        raise FloatingPointError('a gradient is not finite')
    torch.optim.SGD(model.parameters(), lr=1e-6).step()
    model.zero_grad()
    return loss.item()


def _count_calls(model: Any) -> dict[str, int]:
    """Count what backbones and unzooming necks are called."""
    calls = {'backbone': 0, 'unzoom': 0}

    def count(kind: str) -> Any:
        def hook(*_: Any) -> None:
            calls[kind] += 1

        return hook

    for name, module in model.named_modules():
        if type(module).__name__ == 'UnzoomNeck':
            module.register_forward_pre_hook(count('unzoom'))
        elif name.rpartition('.')[2] == 'backbone' and not _BELONGS_ELSEWHERE.search(name):
            module.register_forward_pre_hook(count('backbone'))
    return calls


def _require_unzoomed(calls: dict[str, int], where: str) -> None:
    if not calls['unzoom'] or calls['unzoom'] != max(calls['backbone'], 1):
        raise WrongError(
            f'in {where}, backbones ran {calls["backbone"]} times, and {calls["unzoom"]} times '
            'features were unzoomed'
        )


def _require_finite(found: dict[str, Tensor]) -> None:
    for name, value in found.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise FloatingPointError(f'{name} is not finite')


def _looks_at(
    model: Any,
    data: dict[str, Any],
    axis: int,
    content: tuple[float, float],
    offset: tuple[float, float],
) -> float:
    """Where the pixels say that an image is magnified most along an axis (0 for x), in pixels.

    The image is exchanged for one whose pixels hold their own coordinate.
    """
    data = copy.deepcopy(data)
    images = data['inputs']['img'] if isinstance(data['inputs'], dict) else data['inputs']
    c, h, w = images[0].shape
    ramp = (torch.arange((w, h)[axis]) + 0.5).float()
    image = ramp.expand(c, h, w) if axis == 0 else ramp[:, None].expand(c, h, w)
    image = image.clone()
    right, bottom = (round(start + n) for start, n in zip(offset, content))
    image[:, bottom:] = image[:, :, right:] = 0
    images[0] = image
    preprocessor = model.data_preprocessor
    preprocessor = getattr(preprocessor, 'data_preprocessor', preprocessor)
    zoomed = _canvas(preprocessor(data)['inputs'])[0, 0]
    if getattr(preprocessor, '_enable_normalize', False):
        zoomed = zoomed * preprocessor.std[0, 0, 0] + preprocessor.mean[0, 0, 0]
    # The canvas is padded behind the zoomed image.
    ratio = preprocessor.link.batch.content[0][1 - axis] / content[axis]
    first, last = (round(n * ratio) for n in (offset[axis], offset[axis] + content[axis]))
    # A line through the part that both axes magnify, away from the borders.
    line = zoomed[zoomed.shape[0] // 4] if axis == 0 else zoomed[:, zoomed.shape[1] // 4]
    line = line[first + 1 : last - 1]
    return float(line[1:-1][(line[2:] - line[:-2]).abs().argmin()])


def _content(
    metainfo: dict[str, Any], source: tuple[int, int]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """(w, h) of the original's image in the source, and (x, y) of its upper left corner."""
    if 'trans_mat' in metainfo or 'ori_shape' not in metainfo:
        return (source[1], source[0]), (0, 0)
    h, w = metainfo['ori_shape'][:2]
    x, y = np.ravel(metainfo.get('scale_factor', 1.0))[[0, -1]]
    top, _, left, _ = metainfo.get('border', (0, 0, 0, 0))
    return (w * float(x), h * float(y)), (float(left), float(top))


def _load(name: str, folder: Path) -> tuple[str, Config]:
    """How a child names a stock config, and the config."""
    library, _, rest = name.partition('::')
    root = Path(get_installed_path(library)) / '.mim'
    try:
        reference, config = name, Config.fromstring(f'_base_ = {name!r}', '.py')
    except ValueError:
        # MMEngine takes no names with a + or a dot in a folder.
        reference = str(root / 'configs' / rest)
        config = Config.fromstring(f'_base_ = {reference!r}', '.py')
    teacher = config.get('model', {}).get('teacher_config')
    if isinstance(teacher, str):
        # Relative to the library's repository, which users have beside them.
        path = folder / 'base.py'
        teacher = f'model = dict(teacher_config={str(root / teacher)!r}, teacher_ckpt=None)'
        path.write_text(f'_base_ = {reference!r}\n{teacher}\n')
        reference, config = str(path), Config.fromfile(path)
    return reference, config


def _canvas(inputs: Any) -> Tensor:
    return inputs['imgs'] if isinstance(inputs, dict) else inputs


def _deviation(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """The largest relative difference; infinite where names or shapes differ."""
    if found.keys() != expected.keys():
        return float('inf')
    largest = 0.0
    for name, value in found.items():
        other = expected[name]
        if value.shape != other.shape:
            return float('inf')
        if value.numel() and not torch.equal(value, other):
            gap = (value.double() - other.double()).abs() / other.double().abs().clamp(min=1)
            largest = max(largest, gap.max().nan_to_num(float('inf')).item())
    return largest


def _agreement(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """The smallest share of a field's values that are as expected to a hundredth."""
    if found.keys() != expected.keys():
        return 0.0
    shares = [1.0]
    for name, value in found.items():
        other = expected[name]
        if value.shape != other.shape:
            return 0.0
        if value.numel():
            gap = (value.double() - other.double()).abs() / other.double().abs().clamp(min=1)
            shares.append((gap < 1e-2).double().mean().item())
    return min(shares)


def _last(error: BaseException) -> str:
    text = _anywhere(str(error)).strip().splitlines()
    return f'{type(error).__name__}: {text[-1] if text else ""}'[:600]


def _anywhere(text: str) -> str:
    """A text without the folders of this machine."""
    for folder in (Path(get_installed_path('mmengine')).parent, Path(__file__).parents[2]):
        text = text.replace(f'{folder}/', '')
    return text


def _sizes_named(message: str) -> tuple[int, int] | None:
    """The (h, w) of a ``--size H W`` in a message."""
    found = re.search(r'--size (\d+) (\d+)', message)
    return (int(found.group(1)), int(found.group(2))) if found else None
