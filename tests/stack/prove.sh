#!/bin/sh
# Proves the demo stack on the Docker Engine at hand: builds the images, starts the stack, asks every endpoint, scales the
# service to three, takes away replicas, Redis and vLLM under it and gives them back, stops. Ends at the first failure.
#   tests/stack/prove.sh [SERVICE...]      SERVICE: what to start; nothing named is the whole profile
# Settings come from the environment and .env, as for docker compose; BUILD=0 takes the images as they are.
set -eu
cd "$(dirname "$0")/../.."
test -e .env || make .env
PYTHON=${PYTHON:-python3}
# What is proved is behaviour: a machine that is slow, or busy with other work, gets its time
export BEAT_LLM_TIMEOUT_S="${BEAT_LLM_TIMEOUT_S:-120}" BEAT_LLM_CHECK_TIMEOUT_S="${BEAT_LLM_CHECK_TIMEOUT_S:-120}"
vllm=$(docker compose config --services | grep '^vllm' || true)

say() { printf '\n== %s  %s\n' "$(date +%T)" "$*"; }
address() { echo "http://$(docker compose port "$1" "$2")"; }
running() { docker compose ps --services --status running | grep -qx "$1"; }
smoke() { "$PYTHON" -m tests.stack.smoke "$(address gateway 8080)" --wait 900 "$@"; }
ask_all() {
  set --
  if running prometheus; then set -- "$@" --prometheus "$(address prometheus 9090)"; fi
  if running grafana; then set -- "$@" --grafana "$(address grafana 3000)"; fi
  smoke "$@"
}
# Start what was stopped and wait until it and the service say that they are healthy
give_back() { docker compose up --detach --wait --no-build --no-recreate --scale "service=$1" "$2" gateway; }

say "build"
[ "${BUILD:-1}" = 0 ] || docker compose build
docker images --format '{{.Repository}}:{{.Tag}} {{.Size}}' | grep '^beat-serve:'

say "start"
docker compose up --detach --wait --no-build "$@"
docker compose ps --all --format '{{.Service}}: {{.Status}}'

say "what each container may do"
for id in $(docker compose ps --quiet); do
  docker inspect --format '{{.Name}} user={{.Config.User}} read-only={{.HostConfig.ReadonlyRootfs}} memory={{.HostConfig.Memory}}' "$id"
  docker inspect --format '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Memory}}' "$id" | grep -Eq '^[1-9][0-9:]* true [1-9]'
done
for place in / /opt/beat-serve /models; do
  if docker compose exec -T service touch "$place/proof" 2>/dev/null; then echo "the service can write to $place"; exit 1; fi
done
for network in $(docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' \
  "$(docker compose ps --quiet service)"); do
  echo "the service's network $network has no way out: $(docker network inspect --format '{{.Internal}}' "$network")"
  docker network inspect --format '{{.Internal}}' "$network" | grep -qx true
done
for tool in cc gcc make pip; do
  if docker compose exec -T service sh -c "command -v $tool"; then echo "the service's image holds $tool"; exit 1; fi
done

say "every endpoint"
ask_all

say "three replicas"
give_back 3 service
test "$(docker compose ps --quiet service | wc -l)" = 3
for _ in 1 2 3 4 5 6; do smoke --only recommend failures; done
for replica in 1 2 3; do
  docker compose exec -T --index "$replica" service python -c "
import re, urllib.request
text = urllib.request.urlopen('http://127.0.0.1:8000/metrics').read().decode()
counts = re.findall(r'^beat_request_duration_seconds_count.*/recommend.* ([0-9.]+)$', text, re.M)
print('replica $replica answered', sum(map(float, counts)), 'recommendations'); assert counts"
done

say "a replica is killed: callers do not notice"
docker kill "$(docker compose ps --quiet service | head -n 1)" >/dev/null
for _ in 1 2 3 4 5 6; do smoke --only recommend failures; done
give_back 3 service

say "Redis is killed: answers go on, and it comes back"
docker compose kill redis
smoke --only recommend explain failures
give_back 3 redis
ask_all

if [ -n "$vllm" ]; then
  say "vLLM is killed: recommendations go on, explanations say so, and it comes back"
  docker compose kill "$vllm"
  smoke --only without_language_model recommend failures
  give_back 3 "$vllm"
  ask_all
fi

say "stop"
docker compose down
test -z "$(docker compose ps --all --quiet)"
say "proved"
