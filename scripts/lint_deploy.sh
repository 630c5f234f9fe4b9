#!/usr/bin/env bash
# Check what deploy/ describes, without an account and without asking anybody: the template with cfn-lint
# and checkov, the manifests with Kubernetes' own schemas and checkov, the Dockerfile with checkov.
# What is waived stands where it applies, with its reason.
set -euo pipefail
unset CDPATH
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

# The oldest Kubernetes that has all the manifests use, and the newest that the schemas know.
KUBERNETES_VERSIONS=(1.30 1.37)

"$(find_python)" scripts/install.py .venv-deploy requirements/deploy.txt

# Not bin/NAME: the path in its first line breaks where it has a space.
run() {
    .venv-deploy/bin/python -m "$@"
}

cfn_lint() {
    .venv-deploy/bin/python -c 'import sys; from cfnlint.runner import main; sys.exit(main())' "$@"
}

# From the sources alone: no rules are fetched, nothing is reported.
checkov() {
    run checkov.main --skip-download --quiet --compact "$@"
}

# With the informational rules, too.
cfn_lint --include-checks I --template deploy/cloudformation.yaml
checkov --framework cloudformation --file deploy/cloudformation.yaml

if command -v kubectl >/dev/null; then
    # Not from PyPI, so only where it is; that patches and replacements find what they name.
    kubectl kustomize deploy/kubernetes/example >/dev/null
fi
manifests=()
for file in deploy/kubernetes/base/*.yaml; do
    # KEDA's kinds are checked by tests/deploy/test_kubernetes.py.
    case $file in */kustomization.yaml | */scaling.yaml) ;; *) manifests+=("$file") ;; esac
done
for version in "${KUBERNETES_VERSIONS[@]}"; do
    run kubernetes_validate --quiet --strict --kubernetes-version "$version" "${manifests[@]}"
done
checkov --framework kubernetes --directory deploy/kubernetes
checkov --framework dockerfile --file Dockerfile
say "deploy/ is clean"
