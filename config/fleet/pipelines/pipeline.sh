#!/bin/sh
# The fleet's pipeline for any runner that has a shell, `farol` and the kubeconfigs. Its two verbs belong into two jobs, with a
# person's approval between them and the plan file handed from the first to the second:
#
#   pipeline.sh plan     shows what would change; the last line is `changes=true` or `changes=false`
#   pipeline.sh apply    makes these changes and no others, then looks whether every site is well
#
# FLEET is the fleet's description (fleet.yaml), PLAN the plan file (plan.json).
set -u

fleet=${FLEET:-fleet.yaml}
plan=${PLAN:-plan.json}

case ${1:-} in
plan)
  farol fleet plan --fleet "$fleet" --out "$plan"
  code=$?
  case $code in
  0) echo changes=false ;;
  2) echo changes=true ;;
  *)
    echo "pipeline.sh: no plan could be made" >&2
    exit "$code"
    ;;
  esac
  ;;
apply)
  # Refused where a cluster is no longer as the plan saw it: then plan again.
  farol fleet apply "$plan" --fleet "$fleet" --yes || exit
  farol fleet verify --fleet "$fleet"
  ;;
*)
  echo "usage: pipeline.sh plan|apply" >&2
  exit 64
  ;;
esac
