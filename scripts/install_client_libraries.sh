#!/usr/bin/env bash
# Install the system libraries that the wheels of tflite-support and mediapipe load but do not bring. Debian and Ubuntu
# only; does nothing where they are present.
set -euo pipefail

# Library → the package that has it.
declare -A packages=([libusb-1.0.so.0]=libusb-1.0-0 [libEGL.so.1]=libegl1 [libGLESv2.so.2]=libgles2
                     [libGL.so.1]=libgl1 [libglib-2.0.so.0]=libglib2.0-0)

missing() {
  local cache
  cache=$(/sbin/ldconfig -p)
  for library in "${!packages[@]}"; do
    grep -qF "$library " <<<"$cache" || echo "${packages[$library]}"
  done
}

needed=$(missing | sort | tr '\n' ' ')
[ -z "$needed" ] && exit 0

give_up() {
  echo "Error: $1. Install $needed yourself, then try again." >&2
  exit 1
}

command -v apt-get >/dev/null || give_up "this is not Debian or Ubuntu"
root=()
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || give_up "installing packages needs root, and sudo asks for a password"
  root=(sudo)
fi
echo "Installing $needed from the distribution's repositories"
"${root[@]}" apt-get -qq update || give_up "apt-get update failed"
# shellcheck disable=SC2086
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends $needed >/dev/null ||
  give_up "apt-get install failed"
