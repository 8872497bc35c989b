"""benchmarks/gpu.sh, on the CPU: that it runs, not how long it takes."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_tries_on_a_cpu(tmp_path):
    out = tmp_path / 'gpu.json'
    parts = ['checks', 'sync', 'cost']
    if find_spec('torchvision') is not None:
        parts.append('detector')
    process = subprocess.run(
        [
            'bash',
            'benchmarks/gpu.sh',
            '--device',
            'cpu',
            '--quick',
            '--out',
            out,
            '--parts',
            *parts,
        ],
        cwd=ROOT,
        env={**os.environ, 'PYTHON': sys.executable},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
    found = json.loads(out.read_text())['parts']
    assert list(found) == parts
    for part in found.values():
        assert part['state'] == 'done'
        assert not [row for row in part['rows'] if 'error' in row]
    assert f'{len(found["checks"]["rows"])} of {len(found["checks"]["rows"])} checks hold' in (
        process.stdout
    )
    names = [row['name'] for row in found['cost']['rows']]
    assert any('unzoom forward and backward' in name for name in names)
