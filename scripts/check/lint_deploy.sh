#!/usr/bin/env bash
# Check the files in deploy/, without an AWS account or a cluster: the template with cfn-lint and checkov,
# the manifests and the Helm chart with Kubernetes' own schemas, the Dockerfile with checkov. Each waiver
# is next to the resource it applies to, with its reason:
#
#   ./scripts/check/lint_deploy.sh
set -euo pipefail
unset CDPATH
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

case ${1:-} in
    '') ;;
    -h | --help) show_help scripts/check/lint_deploy.sh ;;
    *) die "unknown argument '$1'; it takes none" ;;
esac

# The oldest Kubernetes that supports the manifests, and the newest with published schemas.
KUBERNETES_VERSIONS=(1.30 1.37)

"$(find_python)" scripts/install .venv-deploy requirements/deploy.txt

# Not bin/NAME: a space in the path breaks its shebang.
run() {
    .venv-deploy/bin/python -m "$@"
}

cfn_lint() {
    .venv-deploy/bin/python -c 'import sys; from cfnlint.runner import main; sys.exit(main())' "$@"
}

# Offline: checkov fetches no rules and reports nothing.
checkov() {
    run checkov.main --skip-download --quiet --compact "$@"
}

# Include the informational rules.
cfn_lint --include-checks I --template deploy/cloudformation.yaml
checkov --framework cloudformation --file deploy/cloudformation.yaml

programs=$("$(find_python)" scripts/check/fetch_helm.py)
# Checks that all patches apply.
"$programs/kubectl" kustomize deploy/kubernetes/example >/dev/null
"$programs/helm" lint --quiet --strict deploy/helm/alvura
# The kinds of KEDA, the Gateway API and the Prometheus operator are checked by
# tests/deploy/test_kubernetes.py; so are patches, which are not whole objects.
manifests=()
for file in deploy/kubernetes/{base,jobs,overlays/aws-alb}/*.yaml deploy/kubernetes/overlays/gateway-api/network.yaml; do
    case $file in */kustomization.yaml | */scaling.yaml) ;; *) manifests+=("$file") ;; esac
done
# The objects of the chart, without the kinds of other operators.
charted=$(mktemp)
trap 'rm -f "$charted"' EXIT
"$programs/helm" template pipeline deploy/helm/alvura --set 'overlays={aws-alb,irsa}' 2>/dev/null |
    .venv-deploy/bin/python -c 'import sys, yaml
whole = (each for each in yaml.safe_load_all(sys.stdin) if "keda.sh" not in each["apiVersion"])
yaml.safe_dump_all(whole, sys.stdout)' >"$charted"
manifests+=("$charted")
for version in "${KUBERNETES_VERSIONS[@]}"; do
    run kubernetes_validate --quiet --strict --kubernetes-version "$version" "${manifests[@]}"
done
checkov --framework kubernetes --directory deploy/kubernetes
checkov --framework dockerfile --file Dockerfile
say "deploy/ is clean"
