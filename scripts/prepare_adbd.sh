#!/usr/bin/env bash
# Install Debian's adb where it is missing, and unpack the device daemon adbd with its libraries into a folder of our
# own (it cannot be installed beside other Android packages). Debian 12 and its backports.
set -euo pipefail
folder=${1:-build/adbd}
daemon=$folder/root/usr/lib/android-sdk/platform-tools/adbd
libraries=$folder/root/usr/lib/$(uname -m)-linux-gnu

give_up() {
  echo "Error: $1. The tests on a real adb daemon need Debian 12's packages adb and adbd (bookworm-backports)." >&2
  exit 1
}

works() {
  # It has no --version: what the loader finds missing is all that can be asked.
  [ -x "$daemon" ] && ! LD_LIBRARY_PATH=$libraries/android:$libraries ldd "$daemon" | grep -q "not found"
}

command -v adb >/dev/null && works && exit 0
command -v apt-get >/dev/null || give_up "this is not Debian"
root=()
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || give_up "installing adb needs root, and sudo asks for a password"
  root=(sudo)
fi

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
# A package list of our own: the machine's stays as it is.
for suite in bookworm bookworm-updates bookworm-backports; do
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main"
done >"$temporary/sources.list"
mkdir -p "$temporary/lists/partial" "$temporary/packages"
chmod -R a+rwX "$temporary"
options=(-o "Dir::Etc::SourceList=$temporary/sources.list" -o Dir::Etc::SourceParts=/dev/null
         -o "Dir::State::Lists=$temporary/lists")
"${root[@]}" apt-get -qq "${options[@]}" update || give_up "apt-get update failed"

if ! command -v adb >/dev/null; then
  echo "Installing adb from the distribution's repositories"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y "${options[@]}" install --no-install-recommends \
    adb iproute2 >/dev/null || give_up "apt-get install adb failed"
fi

if ! works; then
  echo "Unpacking adbd into $folder"
  new=(adbd android-libbase android-libcutils android-liblog android-libboringssl)
  old=(libprotobuf32 libbrotli1 liblz4-1 libzstd1)
  (cd "$temporary/packages" &&
    apt-get -qq "${options[@]}" download "${new[@]/%//bookworm-backports}" "${old[@]/%//bookworm}" 2>/dev/null) ||
    give_up "apt-get download adbd failed"
  rm -rf "$folder"
  mkdir -p "$folder/root"
  for package in "$temporary"/packages/*.deb; do dpkg -x "$package" "$folder/root"; done
  works || give_up "the daemon does not find its libraries"
fi
