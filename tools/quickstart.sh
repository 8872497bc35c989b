#!/usr/bin/env bash
# From a fresh clone to trained models and pictures, on a CPU, with data that is rendered here.
#
#   bash tools/quickstart.sh
#
# What is there already is not done again: run it once more after an interruption. The models are
# trained for minutes, which shows that everything works, not how well the method does.
set -euo pipefail
source "$(dirname "$0")/_env.sh"

prepare_environment
cd "$ROOT"
export MINI_STREET="${MINI_STREET:-data/mini_street_tiny}"
OUT=work_dirs/quickstart

# once RESULT COMMAND...: unless RESULT is there.
once() {
    local result="$1"; shift
    if compgen -G "$result" >/dev/null; then
        say "there already: $result"
    else
        "$@"
    fi
}

# try_config NAME CONFIG CHECKPOINT KEY=VALUE...: saliency, training with these options, test and
# pictures.
try_config() {
    local name="$1" config="$2" checkpoint="$OUT/$1/$3"; shift 3
    say "$name: saliency of the training set"
    "$PYTHON" tools/compute_saliency.py "$config"
    say "$name: training ($config)"
    once "$checkpoint" "$PYTHON" tools/train.py "$config" --work-dir "$OUT/$name" --resume \
        --cfg-options "$@"
    say "$name: test"
    once "$OUT/$name/test/*/*.json" "$PYTHON" tools/test.py "$config" "$checkpoint" \
        --work-dir "$OUT/$name/test" --show-dir "$OUT/$name/predictions"
    say "$name: pictures of the zoom"
    once "$OUT/$name/zoom/*" "$PYTHON" tools/browse_zoom.py "$config" \
        --output-dir "$OUT/$name/zoom" --show-number 4 --not-show
}

print_metrics() {
    "$PYTHON" - "$OUT" <<'PYTHON'
import json
import re
import sys
from pathlib import Path

for path in sorted(Path(sys.argv[1]).glob('*/test/*/*.json')):
    metrics = json.loads(path.read_text())
    shown = [key for key in metrics if re.search('(mAP|mAP_[sml]|mIoU|NDS)$', key)]
    values = [f'{key.split("/")[-1]} {metrics[key]:.3f}' for key in shown]
    print(f'  {path.parts[-4]}: ' + (', '.join(values) or 'nothing was detected'))
PYTHON
}

say "rendering mini-street, tiny, into $MINI_STREET"
"$PYTHON" benchmarks/make_mini_street.py --preset tiny --out "$MINI_STREET"

# Thirty iterations of the detector, a few of the others. They are tested afterwards, not during
# training.
try_config retinanet configs/retinanet/lzu-fixed_retinanet_r18_fpn_mini-street-0.25x.py \
    epoch_5.pth train_cfg.val_begin=6 train_dataloader.batch_size=2 \
    param_scheduler.0.end=5 default_hooks.logger.interval=5
try_config pspnet configs/pspnet/lzu-fixed_pspnet_r18-d8_mini-street-128x128.py \
    iter_4.pth train_cfg.max_iters=4 train_cfg.val_begin=5 train_dataloader.batch_size=2 \
    default_hooks.checkpoint.interval=4 default_hooks.logger.interval=1
try_config fcos3d configs/fcos3d/lzu-fixed_fcos3d_r18_fpn_mini-street-0.25x.py \
    epoch_1.pth train_cfg.max_epochs=1 train_cfg.val_begin=2 default_hooks.checkpoint.interval=1 \
    default_hooks.logger.interval=1

say 'done; the metrics of these short trainings:'
print_metrics
say "pictures: $OUT/*/zoom (what the zoom does), $OUT/*/predictions (what the models see)"
say 'next: benchmarks/make_mini_street.py --preset small and full trainings, see docs/datasets.md'
