#!/usr/bin/env bash
# Install Chromium and its driver, with which the tests look at pages. Debian and Ubuntu only; elsewhere install a
# chromium and a chromedriver of the same version yourself.
set -euo pipefail
wanted="chromium and chromedriver"
. "$(dirname "$0")/debian_packages.sh"

present() { command -v chromedriver >/dev/null && { command -v chromium || command -v google-chrome; } >/dev/null; }

present && exit 0
install_packages chromium chromium-driver fonts-dejavu-core
present || give_up "the packages brought no chromedriver"
