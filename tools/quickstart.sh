#!/usr/bin/env bash
# Train, sample and judge a latent diffusion model on real images.
#
# Usage: bash tools/quickstart.sh
#
# Sets up .venv, trains a KL autoencoder and a class-conditional latent
# diffusion model on scikit-learn's handwritten digits, generates 1,000 digits
# and measures their quality. It writes samples.png, reconstructions.png and
# metrics.json to work_dirs/quickstart. A second run skips finished steps, and
# after an interruption it resumes.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/_common.sh
source tools/_common.sh
check_arguments 0 "$@"
# shellcheck source=tools/setup_env.sh
source tools/setup_env.sh

work=work_dirs/quickstart
first_stage=configs/autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py
ldm=configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py
mkdir -p "$work"

# step NAME TITLE COMMAND...: run COMMAND once, show and keep its output.
step() {
  local name=$1 title=$2 log="$work/$1.log" start=$SECONDS status
  shift 2
  if [ -e "$work/$name.done" ]; then
    echo "[quickstart] $title: done before"
    return
  fi
  echo "[quickstart] $title (log: $log)"
  set +e
  "$@" 2>&1 | tee -a "$log" |
    sed -uE 's/^[0-9/]+ [0-9:]+ - mmengine - INFO - //; s/^/    /'
  status=${PIPESTATUS[0]}
  set -e
  # The seconds of every attempt that was not interrupted.
  echo $((SECONDS - start)) >>"$work/$name.seconds"
  if [ "$status" -ne 0 ]; then
    echo "quickstart: '$title' failed with status $status; the end of $log" \
      "says why. Run the same command again: it goes on from there." >&2
    exit "$status"
  fi
  touch "$work/$name.done"
}

step first_stage '1/4 Training the first stage' \
  python tools/train.py $first_stage --work-dir $work/first_stage --resume
step ldm '2/4 Training the latent diffusion model' \
  python tools/train.py $ldm --work-dir $work/ldm --resume \
  --cfg-options model.autoencoder_checkpoint=$work/first_stage
step judge_first_stage '3/4 Judging the first stage' \
  python tools/test.py $first_stage $work/first_stage \
  --work-dir $work/judge_first_stage --show-dir $work/reconstructions \
  --out $work/judge_first_stage.json
step judge_ldm '4/4 Generating 1,000 digits and judging them' \
  python tools/test.py $ldm $work/ldm --work-dir $work/judge_ldm \
  --show-dir $work/samples --out $work/judge_ldm.json \
  --cfg-options model.autoencoder_checkpoint=$work/first_stage

cp $work/samples/grid.png $work/samples.png
cp $work/reconstructions/grid.png $work/reconstructions.png
python - "$work" <<'PYTHON'
"""Merge the metrics of both stages with the seconds they took."""
import json
import sys
from pathlib import Path

work = Path(sys.argv[1])
first_stage = json.loads((work / 'judge_first_stage.json').read_text())
ldm = json.loads((work / 'judge_ldm.json').read_text())
seconds = {
    stage: sum(map(int, (work / f'{stage}.seconds').read_text().split()))
    for stage in ('first_stage', 'ldm', 'judge_first_stage', 'judge_ldm')
}
metrics = dict(
    class_accuracy=ldm['class_accuracy'],
    test_accuracy_real=ldm['test_accuracy_real'],
    recon_psnr=first_stage['recon/psnr'],
    train_seconds=seconds['first_stage'] + seconds['ldm'],
    total_seconds=sum(seconds.values()))
text = json.dumps(metrics, indent=2)
(work / 'metrics.json').write_text(text + '\n')
print(text)
PYTHON
echo "[quickstart] Look at $work/samples.png and $work/reconstructions.png"
