#!/usr/bin/env bash
# Install the system libraries that the wheels of tflite-support and mediapipe load but do not bring. Debian and Ubuntu
# only; does nothing where they are present.
set -euo pipefail
. "$(dirname "$0")/debian_packages.sh"

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

wanted=$(missing | sort | tr '\n' ' ')
# shellcheck disable=SC2086
[ -z "$wanted" ] || install_packages $wanted
