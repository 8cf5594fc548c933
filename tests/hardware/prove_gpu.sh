#!/usr/bin/env bash
# Proves CUDA and TensorRT on a machine that has an NVIDIA GPU, in at most eight minutes; on any other it is a dry run.
#
#   tests/hardware/prove_gpu.sh [--output FILE.json] [--wheels FOLDER] [BUNDLE...]
#
# Installs what modules/inference/requirements.cuda.lock pins (or takes a Python that VIGIE_PROVE_PYTHON names), then runs
# prove_gpu.py. Wheels: files to install from where no index is in reach. BUNDLE: more bundles with fp32, fp16 and int8
# variants, made beforehand (docs/hardware.md says how). Results: one JSON object; 0 = every step passed, or on a machine
# without a GPU every step that such a machine can do; 1 = one did not; 2 = the command line is wrong.
set -euo pipefail
cd "$(dirname "$0")/../.."

output=gpu-proof.json wheels="" bundles=() begun=$(date +%s)
while [ $# -gt 0 ]; do
  case "$1" in
    --output | --wheels)
      [ $# -ge 2 ] || { echo "prove_gpu.sh: $1 needs a value" >&2; exit 2; }
      if [ "$1" = --output ]; then output=$2; else wheels=$2; fi
      shift 2
      ;;
    -*)
      echo "prove_gpu.sh: unknown option $1" >&2
      exit 2
      ;;
    *)
      bundles+=("$1")
      shift
      ;;
  esac
done

./vigie version >/dev/null # makes .venv on first use, from requirements.lock
python=${VIGIE_PROVE_PYTHON:-.venv-prove-cuda/bin/python}
if [ -z "${VIGIE_PROVE_PYTHON:-}" ] && [ ! -e .venv-prove-cuda/complete ]; then
  rm -rf .venv-prove-cuda
  .venv/bin/python -I -m venv --without-pip .venv-prove-cuda
  # Over the product's environment: what is installed here hides what is there, the ordinary onnxruntime among it.
  own=$(.venv-prove-cuda/bin/python -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  product=$(.venv/bin/python -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  echo "import site; site.addsitedir('$product')" >"$own/vigie-product.pth"
  where=()
  [ -z "$wheels" ] || where=(--no-index --find-links "$wheels")
  .venv/bin/python -m pip --python "$python" install --quiet --no-deps --require-hashes "${where[@]}" \
    -r modules/inference/requirements.cuda.lock
  touch .venv-prove-cuda/complete
fi
installed=$(($(date +%s) - begun))
exec "$python" tests/hardware/prove_gpu.py --output "$output" --install-seconds "$installed" "${bundles[@]}"
