#!/usr/bin/env python
"""Time whole inference, data preprocessor included, of several configs against each other.

The configs take turns in one process, on random images of the size of their dataset, with random
weights unless checkpoints are given. Examples:
    python benchmarks/cost.py configs/retinanet/{uniform,lzu-fixed}_*argoverse-hd-0.5x.py
    python benchmarks/cost.py CONFIG CONFIG --device cuda --amp --batch-size 8 --out times.json
    python benchmarks/cost.py CONFIG CONFIG --variants retinanet.jsonl --out times.json
    python benchmarks/cost.py --plot benchmarks/results/retinanet.jsonl --out times.json
"""

import copy
import json
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from functools import partial
from pathlib import Path
from typing import Any, Optional

import torch
from mmengine.analysis import get_model_complexity_info
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import load_checkpoint
from rich.progress import track

from lzu_mm.engine import (
    add_cfg_options,
    check_weights,
    load_config,
    read_checkpoint,
    run_tool,
)
from lzu_mm.files import check_writable, replacing
from report.environment import describe_machine
from report.results import Timed, of_model, read_runs, summarise
from report.tables import label, markdown
from report.write import write_report
from timing.inputs import NATIVE_SIZES, make_batch, put_detections
from timing.stages import STAGES, StageTimer, synchroniser
from timing.turns import interleave, milliseconds


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='*', type=Path, help='all are compared with the first')
    parser.add_argument('--checkpoints', nargs='+', help='one for each config')
    parser.add_argument(
        '--variants',
        type=Path,
        help='a results file (.jsonl) of benchmarks/experiment.py: time the configs with all the '
        'overrides of their models in it',
    )
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help='of the images (default: dataset)',
    )
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--threads', type=int, help='CPU threads (default: all)')
    parser.add_argument('--amp', action='store_true', help='float16 on a GPU, bfloat16 on a CPU')
    parser.add_argument('--channels-last', action='store_true')
    parser.add_argument('--compile', action='store_true', help='torch.compile the model')
    parser.add_argument('--repeats', type=int, default=20)
    parser.add_argument('--warmup', type=int, default=3)
    parser.add_argument(
        '--detections',
        type=int,
        default=30,
        help='in the previous frame, for adaptive saliency',
    )
    parser.add_argument('--out', type=Path, help='.json file for the times')
    parser.add_argument(
        '--plot',
        type=Path,
        help='a results file (.jsonl) of benchmarks/experiment.py: write its report '
        'with the times of --out and the picture of accuracy over latency',
    )
    add_cfg_options(parser)
    args = parser.parse_args()
    if not args.configs and not (args.plot and args.out):
        parser.error('name the configs to time, or --plot RESULTS --out TIMES to draw')
    if args.checkpoints and len(args.checkpoints) != len(args.configs):
        parser.error(f'{len(args.checkpoints)} --checkpoints for {len(args.configs)} configs')
    if args.variants and args.checkpoints:
        parser.error('--checkpoints belong to configs, not to --variants')
    if args.repeats < 2 or args.warmup < 1:
        parser.error('--repeats must be at least 2 and --warmup at least 1')
    for config in args.configs:
        if not config.is_file():
            parser.error(f'no config at {config}')
    return args


def image_size(cfg: Config, wanted: 'Optional[list[int]]') -> 'tuple[int, int]':
    """(h, w) of the images that reach the zoom."""
    if wanted:
        return wanted[0], wanted[1]
    dataset = cfg.test_dataloader.dataset.type.split('.')[-1]
    if dataset not in NATIVE_SIZES:
        raise SystemExit(f'error: the size of the images of {dataset} is not known: set --size H W')
    return NATIVE_SIZES[dataset]


def variants(configs: 'list[Path]', results: Optional[Path]) -> 'list[tuple[Path, dict[str, Any]]]':
    """Configs with no overrides, or with all those of their models in a results file."""
    if results is None:
        return [(path, {}) for path in configs]
    runs = summarise(read_runs(results))
    found: dict[Timed, tuple[Path, dict[str, Any]]] = {}
    for path in configs:
        for run in runs:
            if run.config == path.stem:
                found.setdefault(run.timed, (path, of_model(run.options)))
    missing = sorted({path.stem for path in configs} - {run.config for run in runs})
    if missing:
        raise SystemExit(f'error: {results} has no run of {", ".join(missing)}')
    return list(found.values())


def parsed(options: 'dict[str, Any]') -> 'dict[str, Any]':
    """Overrides that a results file holds as words, as the command line reads them."""
    parser = ArgumentParser()
    add_cfg_options(parser)
    words = [f'{key}={value}' for key, value in options.items()]
    return dict(parser.parse_args(['--cfg-options', *words] if words else []).cfg_options)


def without_pretrained(cfg: Any) -> Any:
    """The config of a model without weights to download."""
    if isinstance(cfg, (list, tuple)):
        return [without_pretrained(item) for item in cfg]
    if not isinstance(cfg, dict):
        return cfg
    init_cfg = cfg.get('init_cfg')
    pretrained = isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained'
    dropped = {'pretrained', 'init_cfg'} if pretrained else {'pretrained'}
    return type(cfg)({k: without_pretrained(v) for k, v in cfg.items() if k not in dropped})


class Candidate:
    """A model and a batch for it."""

    def __init__(
        self, path: Path, options: 'dict[str, Any]', checkpoint: Optional[str], args: Namespace
    ) -> None:
        cfg = load_config(path)
        cfg.merge_from_dict({**parsed(options), **args.cfg_options})
        self.name = path.stem
        self.options = options
        self.args = args
        self.scope = cfg.default_scope
        init_default_scope(self.scope)
        torch.manual_seed(0)
        model = MODELS.build(cfg.model if checkpoint else without_pretrained(cfg.model))
        if checkpoint is None:
            # Heads then give few detections, like trained ones, so that NMS takes as long.
            model.init_weights()
        else:
            check_weights(model, read_checkpoint(checkpoint), checkpoint)
            load_checkpoint(model, checkpoint, map_location='cpu')
        self.device = torch.device(args.device)
        self.model = model.to(self.device).eval()
        self.batch = make_batch(self.scope, image_size(cfg, args.size), args.batch_size)
        self.complexity = self.count()
        if args.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
            preprocess = self.model.data_preprocessor.forward
            self.model.data_preprocessor.forward = partial(_channels_last, preprocess)
        if args.compile:
            self.model.forward = torch.compile(self.model.forward)

    @torch.no_grad()
    def __call__(self) -> None:
        """One inference."""
        with torch.autocast(self.device.type, enabled=self.args.amp, dtype=self._dtype()):
            self.samples = self.model.test_step(self.batch)

    def look_back(self) -> None:
        """Leave detections for adaptive saliency to find in the previous frame."""
        if self.scope == 'mmdet':
            put_detections(self.samples, self.args.detections)

    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.device.type == 'cpu' else torch.float16

    @torch.no_grad()
    def count(self) -> 'dict[str, float]':
        """GFLOPs per image and millions of parameters, by mmengine's counter."""
        # A copy: the counter leaves hooks behind.
        model = copy.deepcopy(self.model)
        data = model.data_preprocessor(self.batch, False)
        inputs = data['inputs']
        if self.scope == 'mmdet3d':
            inputs = inputs['imgs'][:1]
            model.forward = lambda images: model.extract_feat({'imgs': images})
        else:
            inputs = inputs[:1]
            model.forward = partial(model.forward, data_samples=data['data_samples'][:1])
        found = get_model_complexity_info(
            model, inputs=(inputs,), show_table=False, show_arch=False
        )
        return {'gflops': found['flops'] / 1e9, 'mparams': found['params'] / 1e6}


def _channels_last(preprocess: Any, *args: Any, **kwargs: Any) -> Any:
    output = preprocess(*args, **kwargs)
    inputs = output['inputs']
    if isinstance(inputs, dict):
        inputs['imgs'] = inputs['imgs'].contiguous(memory_format=torch.channels_last)
    else:
        output['inputs'] = inputs.contiguous(memory_format=torch.channels_last)
    return output


def time_whole(candidates: 'list[Candidate]', args: Namespace) -> 'list[dict[str, float]]':
    """Time whole inferences; the candidates take turns."""
    synchronise = synchroniser(candidates[0].device)
    turns = args.warmup + args.repeats
    bar = iter(track(range(turns * len(candidates)), description='whole inference'))
    next(bar)

    def tick() -> None:
        for candidate in candidates:
            if hasattr(candidate, 'samples'):
                candidate.look_back()
        next(bar, None)

    seconds = interleave(candidates, args.repeats, args.warmup, synchronise, tick)
    return [milliseconds(found, args.batch_size) for found in seconds]


def time_stages(candidate: Candidate, args: Namespace) -> 'dict[str, float]':
    """Milliseconds per image of each stage; not possible within a compiled model."""
    timer = StageTimer(candidate.model, synchroniser(candidate.device))
    with timer:
        for _ in track(range(args.repeats), description=f'stages of {candidate.name}'):
            candidate()
            candidate.look_back()
    scale = 1000 / args.repeats / args.batch_size
    return {stage: scale * timer.seconds[stage] for stage in STAGES}


def peak_memory(candidate: Candidate) -> Optional[float]:
    """Peak memory on a GPU in MiB, weights included."""
    if candidate.device.type != 'cuda':
        return None
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    candidate()
    weights = sum(p.numel() * p.element_size() for p in candidate.model.parameters())
    return (torch.cuda.max_memory_allocated() - before + weights) / 2**20


def measure(args: Namespace) -> 'dict[str, Any]':
    """Time and count all configs, and describe the setting."""
    if args.threads:
        torch.set_num_threads(args.threads)
    # Models log how each of their parameters was initialised.
    MMLogger.get_current_instance().setLevel('WARNING')
    timed = variants(args.configs, args.variants)
    checkpoints = args.checkpoints or [None] * len(timed)
    candidates = [Candidate(*each, path, args) for each, path in zip(timed, checkpoints)]
    results = []
    for candidate, whole in zip(candidates, time_whole(candidates, args)):
        stages = {} if args.compile else time_stages(candidate, args)
        results.append(
            {
                'config': candidate.name,
                'options': candidate.options,
                'ms': {'total': whole['median'], 'low': whole['low'], 'high': whole['high']},
                'stages_ms': stages,
                'peak_mib': peak_memory(candidate),
                **candidate.complexity,
            }
        )
    kept = ('batch_size', 'device', 'amp', 'channels_last', 'compile', 'repeats')
    settings = {name: getattr(args, name) for name in kept}
    settings['threads'] = torch.get_num_threads()
    settings['options'] = dict(args.cfg_options)
    return {'machine': describe_machine(), 'settings': settings, 'results': results}


def table(results: 'list[dict[str, Any]]') -> str:
    """The results as Markdown; the last column is the ratio to the first config."""
    memory = any(result['peak_mib'] for result in results)
    header = ['ms per image', 'GFLOPs', 'total', 'quartiles']
    stages = [stage for stage in STAGES if any(stage in r['stages_ms'] for r in results)]
    header += [*stages, *(['MiB'] if memory else []), 'ratio']
    rows = []
    for result in results:
        ms = result['ms']
        name = label(result['config'], result['options'])
        row = [name, f'{result["gflops"]:.1f}', f'{ms["total"]:.1f}']
        row += [f'{ms["low"]:.1f}–{ms["high"]:.1f}']
        row += [f'{result["stages_ms"][stage]:.2f}' for stage in stages]
        row += [f'{result["peak_mib"]:.0f}'] if memory else []
        rows.append([*row, f'{ms["total"] / results[0]["ms"]["total"]:.3f}'])
    return markdown(header, rows)


def main() -> None:
    """Time, print, write and draw."""
    args = parse_args()
    if args.configs:
        if args.out and args.out.exists():
            raise SystemExit(f'error: --out {args.out} exists; remove it or choose another name')
        if args.out:
            check_writable(args.out)
        measured = measure(args)
        print(json.dumps({**measured['settings'], **measured['machine']}))
        print(table(measured['results']))
        if args.out:
            with replacing(args.out) as draft:
                draft.write_text(json.dumps(measured, indent=1) + '\n')
    if args.plot:
        write_report(args.plot, latency=[args.out])
        print(f'report with latencies: {args.plot.with_suffix(".md")}, .csv and .png')


if __name__ == '__main__':
    run_tool(main)
