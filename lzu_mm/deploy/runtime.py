"""A file in place of a model: the same samples come out, for stock metrics and visualizers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Sequence

import numpy as np
import torch
from mmengine.model import BaseModel
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from ..frames import SourceFrame, scale_factor, source_frames
from ..registry import MODELS
from ..saliency.sequences import Detections, SequenceMemory

__all__ = ['OnnxModel']


@MODELS.register_module()
class OnnxModel(BaseModel):
    """Runs a file of :func:`lzu_mm.deploy.export_onnx` in onnxruntime.

    It takes batches of the test pipeline that the model was exported for, and returns their samples
    with predictions in pixels of the original images, as the model does. With temporal saliency it
    hands what was found in a frame on to the next of the same video.

    Args:
        path: The file.
        threads: Of onnxruntime; its own choice by default.
        providers: Of onnxruntime, the CPU by default.

    Attributes:
        metadata: What the file says of itself.
        dataset_meta: Classes and palette.

    Raises:
        ImportError: If the extra is not installed.
        FileNotFoundError: If there is no such file.
        ValueError: If the file is of another make.
    """

    def __init__(
        self,
        path: str | Path,
        threads: int | None = None,
        providers: tuple[str, ...] = ('CPUExecutionProvider',),
    ) -> None:
        super().__init__()
        self.path, self.threads, self.providers = path, threads, providers
        self.session = _open(path, threads, providers)
        self.metadata: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
        if 'lzu_mm' not in self.metadata:
            raise ValueError(f'{path} was not written by lzu-mm export-onnx')
        self.size: tuple[int, int] = tuple(json.loads(self.metadata['size']))
        self.dataset_meta = {key: json.loads(self.metadata[key]) for key in ('classes', 'palette')}
        gap = self.metadata.get('max_gap')
        self.memory = None if gap is None else SequenceMemory(int(gap))
        # As a saliency module says.
        self.follows_videos = self.memory is not None
        self._settle = _SETTLERS[self.metadata['task']]

    def __deepcopy__(self, memo: dict[int, Any]) -> OnnxModel:
        # Sessions cannot be copied.
        return type(self)(self.path, self.threads, self.providers)

    def run(
        self,
        image: np.ndarray | Tensor,
        previous: np.ndarray | None = None,
        cam2img: Any = None,
        trans_mat: Any = None,
    ) -> dict[str, np.ndarray]:
        """Run the file on one image.

        Args:
            image: (3, H, W), uint8, in the channel order that the pipeline loads.
            previous: (K, 5), the first ``dets`` of the frame before; none by default. Only files of
                models with temporal saliency read it.
            cam2img: Intrinsics (3, 3) to (4, 4) of the camera, as ``metainfo`` has them. 3D
                detectors need them.
            trans_mat: Of ``AffineResize``, (3, 3). SMOKE needs it.

        Returns:
            The outputs of the file by name.

        Raises:
            ValueError: If the image has another size or type, or the camera is missing.
        """
        given = {'input': self._checked(image)[None]}
        for node in self.session.get_inputs():
            if node.name == 'previous':
                given['previous'] = np.zeros(node.shape, np.float32)
                if previous is not None:
                    count = min(len(previous), node.shape[1])
                    given['previous'][0, :count] = previous[:count]
            if node.name == 'cam2img':
                given['cam2img'] = _matrix('cam2img', cam2img, 4)
            if node.name == 'trans_mat':
                given['trans_mat'] = _matrix('trans_mat', trans_mat, 3)
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(None, given)))

    def _checked(self, image: np.ndarray | Tensor) -> np.ndarray:
        pixels = np.ascontiguousarray(image)
        if pixels.dtype != np.uint8 or pixels.shape != (3, *self.size):
            raise ValueError(
                f'{self.path} takes images of uint8 and shape {(3, *self.size)}, got '
                f'{pixels.dtype} of {pixels.shape}: export with --size of what the test pipeline '
                'hands over'
            )
        return pixels

    def test_step(self, data: Any) -> list[Any]:
        """Predict for a batch of the test dataloader, as ``BaseModel.test_step`` does.

        Args:
            data: ``inputs``, images (3, H, W) or a dict of them as ``img``, and ``data_samples``.

        Returns:
            The samples, with predictions.

        Raises:
            ValueError: If an image is not as the file expects it.
        """
        inputs = data['inputs']
        images = list(inputs['img'] if isinstance(inputs, dict) else inputs)
        samples = list(data['data_samples'])
        for image in images:
            self._checked(image)
        frames = source_frames(images, samples)
        for frame in frames:
            if frame.unknown or frame.flipped or frame.content != self.size:
                raise ValueError(
                    f'{self.path} takes whole images of {self.size} that are neither padded nor '
                    f'flipped: {frame.name} shows its original at {frame.content}'
                    f'{", flipped" if frame.flipped else ""}. {frame.unknown}'
                )
        before = self._look_back(samples, frames)
        found = [
            self._settle(
                self.run(image, previous, *map(sample.metainfo.get, ('cam2img', 'trans_mat'))),
                sample.clone(),
                self.metadata,
            )
            for image, sample, previous in zip(images, samples, before)
        ]
        if self.memory is not None:
            self.memory.store(found)
        return found

    def _look_back(
        self, samples: list[Any], frames: list[SourceFrame]
    ) -> Sequence[np.ndarray | None]:
        """What was found in the frames before, as ``previous``."""
        if self.memory is None:
            return [None] * len(samples)
        original = tuple(json.loads(self.metadata['original']))
        metainfos = [sample.metainfo for sample in samples]
        for metainfo, frame in zip(metainfos, frames):
            if tuple(metainfo['ori_shape'][:2]) != original:
                raise ValueError(
                    f'the temporal saliency of {self.path} reckons in pixels of originals of '
                    f'{original}, but {frame.name} is of {tuple(metainfo["ori_shape"][:2])}: '
                    'export with --original-size of these'
                )
        return [
            None if before is None else _previous(before, frame)
            for before, frame in zip(self.memory.look_back(metainfos, frames), frames)
        ]

    val_step = test_step

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = 'tensor') -> Any:
        """See ``BaseModel.forward``; only for ``mode='predict'``."""
        if mode != 'predict':
            raise ValueError(f"a file predicts alone: mode must be 'predict', got {mode!r}")
        return self.test_step({'inputs': inputs, 'data_samples': data_samples})


def _open(path: str | Path, threads: int | None, providers: tuple[str, ...]) -> Any:
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no file {path}')
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            'running a file needs onnxruntime: pip install "lzu_mm[deploy]"', name=error.name
        ) from error
    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=list(providers))


def _previous(before: Detections, frame: SourceFrame) -> np.ndarray:
    boxes = before.boxes * before.boxes.new_tensor(frame.scale * 2)
    return torch.cat((boxes, before.scores[:, None]), dim=1).numpy()


def _matrix(name: str, values: Any, count: int) -> np.ndarray:
    if values is None:
        raise ValueError(f'the file needs {name}, but the metainfo of the sample has none')
    given = np.asarray(values, np.float32)
    matrix = np.eye(count, dtype=np.float32)
    matrix[: given.shape[0], : given.shape[1]] = given
    return matrix[None]


def _detections(outputs: dict[str, np.ndarray], sample: Any, _: dict[str, str]) -> Any:
    dets, labels = (torch.from_numpy(outputs[name][0]) for name in ('dets', 'labels'))
    dets, labels = dets[labels >= 0], labels[labels >= 0]
    scale = dets.new_tensor(scale_factor(sample.metainfo) * 2)
    sample.pred_instances = InstanceData(
        bboxes=dets[:, :4] / scale, scores=dets[:, 4], labels=labels
    )
    return sample


def _instances(outputs: dict[str, np.ndarray], sample: Any, about: dict[str, str]) -> Any:
    from .masks import lay_masks

    kept = outputs['labels'][0] >= 0
    dets = torch.from_numpy(outputs['dets'][0][kept])
    found = InstanceData(
        bboxes=dets[:, :4], scores=dets[:, 4], labels=torch.from_numpy(outputs['labels'][0][kept])
    )
    threshold = float(about['mask_thr_binary'])
    sample.pred_instances = lay_masks(outputs['masks'][0][kept], found, sample.metainfo, threshold)
    return sample


def _labels(outputs: dict[str, np.ndarray], sample: Any, _: dict[str, str]) -> Any:
    labels = torch.from_numpy(outputs['output'][0])
    shape = tuple(sample.metainfo['ori_shape'][:2])
    if labels.shape[1:] != shape:
        # Of the label maps: the file has taken the best class where the image is.
        resized = torch.nn.functional.interpolate(labels[None].float(), shape, mode='nearest-exact')
        labels = resized[0].to(labels.dtype)
    sample.set_data({'pred_sem_seg': PixelData(data=labels)})
    return sample


def _detections_3d(outputs: dict[str, np.ndarray], sample: Any, _: dict[str, str]) -> Any:
    kept = outputs['labels_3d'][0] >= 0
    found = {name: torch.from_numpy(values[0][kept]) for name, values in outputs.items()}
    boxes = [found['bboxes_3d'], *([found['velocities']] if 'velocities' in found else [])]
    tensor = torch.cat(boxes, dim=1)
    instances = InstanceData(
        bboxes_3d=sample.metainfo['box_type_3d'](tensor, box_dim=tensor.shape[1]),
        scores_3d=found['scores_3d'],
        labels_3d=found['labels_3d'],
    )
    if 'attributes' in found:
        instances.attr_labels = found['attributes']
    sample.pred_instances_3d, sample.pred_instances = instances, InstanceData()
    if 'bboxes' in found:
        sample.pred_instances = InstanceData(
            bboxes=found['bboxes'], scores=found['scores_3d'], labels=found['labels_3d']
        )
    return sample


_SETTLERS = {
    'detect': _detections,
    'segment': _instances,
    'semantic': _labels,
    'detect3d': _detections_3d,
}
