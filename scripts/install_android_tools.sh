#!/usr/bin/env bash
# Install aapt, zipalign and apksigner, which put the demo app's package together. Debian and Ubuntu only.
set -euo pipefail
wanted="aapt, zipalign and apksigner"
. "$(dirname "$0")/debian_packages.sh"

present() {
  command -v aapt >/dev/null && command -v zipalign >/dev/null && command -v apksigner >/dev/null
}

present && exit 0
install_packages aapt zipalign apksigner
present || give_up "they are still missing"
