#!/usr/bin/env bash
# Install Mesa's software Vulkan driver (lavapipe), on which the LiteRT GPU accelerator runs without a GPU.
# Mesa 22.3 is too old for it, 25.0 is known to do; on Debian 12 that is in backports. Debian and Ubuntu only.
set -euo pipefail
enough=23
package=mesa-vulkan-drivers
wanted="$package $enough or later (a package with lvp_icd*.json)"
. "$(dirname "$0")/debian_packages.sh"

present() {
  compgen -G "/usr/share/vulkan/icd.d/lvp_icd*.json" >/dev/null &&
    dpkg --compare-versions "$(dpkg-query -W -f '${Version}' $package 2>/dev/null || echo 0)" ge $enough
}

command -v dpkg >/dev/null || { compgen -G "/usr/share/vulkan/icd.d/lvp_icd*.json" >/dev/null && exit 0
                                give_up "no lavapipe here, and this is not Debian or Ubuntu"; }
present && exit 0
find_root
echo "Installing $package from the distribution's repositories"

. /etc/os-release
folder=$(mktemp -d)
trap '"${root[@]}" rm -rf "$folder"' EXIT
options=()
if [ "${VERSION_CODENAME:-}" = bookworm ]; then
  # A package list of our own: the machine's lists stay as they are, and a broken third-party one does not matter.
  for suite in bookworm bookworm-updates bookworm-backports; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main"
  done >"$folder/sources.list"
  mkdir -p "$folder/lists/partial"
  chmod -R a+rX "$folder"
  options=(-o "Dir::Etc::SourceList=$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null
           -o "Dir::State::Lists=$folder/lists" -o APT::Default-Release=bookworm-backports)
fi
"${root[@]}" apt-get -qq "${options[@]}" update || give_up "apt-get update failed"
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y "${options[@]}" install --no-install-recommends \
  $package >/dev/null || give_up "apt-get install $package failed"
present || give_up "the repositories have only $(dpkg-query -W -f '${Version}' $package) of $package"
