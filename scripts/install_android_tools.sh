#!/usr/bin/env bash
# Install aapt, zipalign and apksigner, which put the demo app's package together. Debian and Ubuntu only.
set -euo pipefail

present() {
  command -v aapt >/dev/null && command -v zipalign >/dev/null && command -v apksigner >/dev/null
}

give_up() {
  echo "Error: $1. Install aapt, zipalign and apksigner yourself, then try again." >&2
  exit 1
}

present && exit 0
command -v apt-get >/dev/null || give_up "the Android build tools are missing, and this is not Debian or Ubuntu"
root=()
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || give_up "installing the Android build tools needs root, and sudo asks for a password"
  root=(sudo)
fi
echo "Installing aapt, zipalign and apksigner from the distribution's repositories"
"${root[@]}" apt-get -qq update || give_up "apt-get update failed"
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends \
  aapt zipalign apksigner >/dev/null || give_up "apt-get install failed"
present || give_up "they are still missing"
