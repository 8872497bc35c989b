# Sourced by quickstart.sh and run_tests.sh: finds or makes the Python environment.
#
# An active environment that already holds torch and the MM libraries is used as it is, unless
# LZU_STACK is set.
# Otherwise `.venv` is made in the repository root; an unfinished one is completed.
#
#   LZU_STACK          openmmlab (default), or onedl: the fork that lives on, for detection and
#                      segmentation, in an environment of its own (`.venv-onedl`)
#   LZU_PYTHON         the Python to make the environment from (3.8 to 3.11, for onedl 3.10 to 3.12;
#                      default: python3.11 or python3)
#   LZU_TORCH_INSTALL  what pip is asked for (default: torch==2.13.0); add an index of your choice
#                      here for a CPU-only or another CUDA build
#   LZU_MMCV_INSTALL   the same for mmcv (default: mmcv==2.1.0, which is compiled); for torch 2.1 there
#                      are compiled ones: 'mmcv==2.1.0 -f URL', see docs/start.md
#   LZU_OLDEST_TORCH_INSTALL  the same for `.venv-oldest`, in which run_tests.sh tests the geometry
#                      (default: torch==2.0.1, a download of 2.3 GB with its CUDA; an index of
#                      CPU-only builds makes it 0.2 GB)

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
OLDEST="$ROOT/.venv-oldest"
DOCS="$ROOT/requirements/docs.txt"

say() { printf '\033[1m[lzu_mm]\033[0m %s\n' "$*"; }
die() { printf '[lzu_mm] error: %s\n' "$*" >&2; exit 1; }

case "${LZU_STACK:-openmmlab}" in
openmmlab)
    VENV="$ROOT/.venv"
    CONSTRAINTS="$ROOT/requirements/constraints.txt"
    MMCV=mmcv==2.1.0
    LIBRARIES=det,seg,det3d
    RUNTIME=(torch mmengine mmcv.ops mmdet mmseg mmdet3d)
    ;;
onedl)
    VENV="$ROOT/.venv-onedl"
    CONSTRAINTS="$ROOT/requirements/constraints-onedl.txt"
    MMCV=onedl-mmcv==2.3.6
    LIBRARIES=onedl
    RUNTIME=(torch mmengine mmcv.ops mmdet mmseg)
    ;;
*) die "LZU_STACK is '$LZU_STACK': set it to openmmlab or onedl" ;;
esac
LOG="$VENV/lzu_install.log"

# imports PYTHON MODULE...: whether that Python can import all of them.
imports() {
    local python="$1"; shift
    "$python" -c "import $(IFS=,; echo "$*")" >/dev/null 2>&1
}

TEST_TOOLS=(pytest xdist hypothesis ruff mypy)

# quietly COMMAND...: output to the log, whose end is shown when the command fails.
quietly() {
    "$@" >>"$LOG" 2>&1 && return
    tail -n 25 "$LOG" >&2
    return 1
}

install() { quietly "$VENV/bin/python" -m pip install -c "$CONSTRAINTS" "$@"; }

# make_venv FOLDER: an empty virtual environment, unless there is one.
make_venv() {
    [ -x "$1/bin/python" ] && return
    local base="${LZU_PYTHON:-$(command -v python3.11 || command -v python3)}"
    [ -n "$base" ] || die 'no Python found; install Python 3.11 or set LZU_PYTHON'
    "$base" -m venv "$1" ||
        die "could not make $1 with $base (on Debian and Ubuntu: apt-get install python3-venv)"
}

install_torch() {
    imports "$VENV/bin/python" torch && return
    # shellcheck disable=SC2086  # the variable may hold several words
    install ${LZU_TORCH_INSTALL:-torch==2.13.0} || die "torch did not install; see $LOG"
}

# compile_mmcv [flags of pip]: shows how far it is while it compiles. A wheel that pip keeps, or finds
# elsewhere, installs at once.
compile_mmcv() {
    local build="$VENV/build" installing seconds=0 of done
    mkdir -p "$build"
    # shellcheck disable=SC2086  # the variable may hold several words
    TMPDIR="$build" install --no-build-isolation "$@" ${LZU_MMCV_INSTALL:-$MMCV} &
    installing=$!
    while kill -0 "$installing" 2>/dev/null; do
        sleep 1
        [ $((++seconds % 30)) -eq 0 ] || continue
        of="$(find "$build" -name build.ninja -exec grep -c '^build .*\.o:' {} + 2>/dev/null | tail -n 1)"
        done="$(find "$build" -name '*.o' 2>/dev/null | wc -l)"
        [ "${of:-0}" -gt 0 ] && [ "$done" -gt 0 ] || continue
        say "      mmcv: $done of $of files compiled, about" \
            "$((1 + seconds * (of - done) / done / 60)) minutes to go"
    done
    wait "$installing" || { rm -rf "$build"; return 1; }
    rm -rf "$build"
}

# pip keeps the compiled wheel for the next environment, but under a name that says nothing of the
# torch it was compiled against: one that does not load is recompiled.
install_mmcv() {
    imports "$VENV/bin/python" mmcv.ops && return
    say '      compiled once, about 9 minutes on two cores; later environments reuse the wheel'
    compile_mmcv ||
        die "mmcv did not compile; see $LOG (a CUDA build of torch needs nvcc of its CUDA version)"
    imports "$VENV/bin/python" cv2 || use_headless_opencv
    imports "$VENV/bin/python" mmcv.ops && return
    say 'the mmcv wheel in the cache of pip does not fit this torch: recompiling it'
    compile_mmcv --no-cache-dir --no-deps --force-reinstall ||
        die "mmcv did not compile; see $LOG (a CUDA build of torch needs nvcc of its CUDA version)"
}

# opencv-python needs libGL, which servers often lack; the headless build only lacks windows.
use_headless_opencv() {
    say 'cv2 does not import (no libGL on this machine?): taking the build without windows'
    quietly "$VENV/bin/python" -m pip uninstall -y opencv-python opencv-python-headless
    install opencv-python-headless || die "opencv-python-headless did not install; see $LOG"
}

check_venv() {
    imports "$VENV/bin/python" cv2 || use_headless_opencv
    [ "$LIBRARIES" = onedl ] || imports "$VENV/bin/python" open3d ||
        say 'note: open3d does not import (apt-get install libgl1 libusb-1.0-0);' \
            'only point cloud windows need it'
    "$VENV/bin/python" -c "import $(IFS=,; echo "${RUNTIME[*]}")" 2>>"$LOG" && return
    tail -n 5 "$LOG" >&2
    die "a library does not import (above). If a shared object is missing, on Debian and Ubuntu:
    apt-get install libgl1 libglib2.0-0 libx11-6 libgomp1"
}

# prepare_environment [tests]: sets PYTHON; with `tests`, to one that holds the test tools too.
prepare_environment() {
    local active
    active="$(command -v python || true)"
    export PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}"
    if [ -z "${LZU_STACK:-}" ] && [ -n "$active" ] && [ "$active" != "$VENV/bin/python" ] &&
        imports "$active" "${RUNTIME[@]}"; then
        PYTHON="$active"
        say "using the active environment: $PYTHON"
        [ "${1:-}" != tests ] || imports "$PYTHON" "${TEST_TOOLS[@]}" ||
            die "it lacks test tools: $PYTHON -m pip install -e '$ROOT[deploy,tests]'"
        return
    fi
    PYTHON="$VENV/bin/python"
    local wanted stamp="$VENV/lzu_installed"
    wanted="$(cat "$ROOT/pyproject.toml" "$CONSTRAINTS" "$DOCS" "${BASH_SOURCE[0]}" | cksum)"
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        say "using $VENV"
        return
    fi
    say "[1/5] virtual environment in $VENV"
    make_venv "$VENV"
    say "[2/5] torch (log: $LOG)"
    install --upgrade pip 'setuptools<81' wheel ninja psutil || die "pip failed; see $LOG"
    install_torch
    say '[3/5] mmcv'
    install_mmcv
    say '[4/5] the MM libraries, ONNX, the test tools and those of the site'
    install --no-build-isolation -e "$ROOT[$LIBRARIES,deploy,tests]" -r "$DOCS" ||
        die "the MM libraries did not install; see $LOG"
    say '[5/5] checking the imports'
    check_venv
    printf '%s\n' "$wanted" >"$stamp"
    say 'the environment is ready'
}

# prepare_oldest: makes the environment with the oldest torch, which holds all that the geometry
# needs and nothing of the MM libraries; returns 1 where that fails.
prepare_oldest() {
    local wanted="${LZU_OLDEST_TORCH_INSTALL:-torch==2.0.1}" stamp="$OLDEST/lzu_installed"
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    say "making $OLDEST with $wanted, once"
    make_venv "$OLDEST"
    # shellcheck disable=SC2086  # the variable may hold several words
    "$OLDEST/bin/python" -m pip install --quiet $wanted 'numpy<2' 'pytest>=7' 'hypothesis>=6' ||
        return 1
    printf '%s\n' "$wanted" >"$stamp"
}
