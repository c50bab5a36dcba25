#!/usr/bin/env bash
# Install Chromium and its driver, with which the tests look at pages. Debian and Ubuntu only; elsewhere install a
# chromium and a chromedriver of the same version yourself.
set -euo pipefail

present() { command -v chromedriver >/dev/null && { command -v chromium || command -v google-chrome; } >/dev/null; }

give_up() {
  echo "Error: $1. Install chromium and chromedriver yourself, then try again." >&2
  exit 1
}

present && exit 0
command -v apt-get >/dev/null || give_up "no chromium here, and this is not Debian or Ubuntu"
root=()
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || give_up "installing chromium needs root, and sudo asks for a password"
  root=(sudo)
fi
echo "Installing chromium and chromium-driver from the distribution's repositories"
"${root[@]}" apt-get -qq update || give_up "apt-get update failed"
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends \
  chromium chromium-driver fonts-dejavu-core >/dev/null || give_up "apt-get install chromium failed"
present || give_up "the packages brought no chromedriver"
