#!/usr/bin/env bash
# Make FOLDER/counting: a QEMU that loads plugins, which Debian's does not, and the plugin that counts instructions
# (benchmarks/suites/arm_counter.c). FOLDER is that of make_arm_root.sh. It downloads the distribution's source package
# (40 MB) and builds one program of it: some minutes, once. Nothing is installed: headers and static libraries are
# unpacked beside the source, and it needs no root. x86-64 Debian or Ubuntu with apt, a C compiler and pkg-config only.
#
#     scripts/make_arm_counter.sh FOLDER [PYTHON]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
plugin=$here/../benchmarks/suites/arm_counter.c
target=$1/counting
python=${2:-python3}
wanted=$(sha256sum "$plugin" "$here/make_arm_counter.sh" | cut -d' ' -f1 | sha256sum | cut -d' ' -f1)
[ "$(cat "$target/.made" 2>/dev/null)" = "$wanted" ] && exit 0

needs="the counts of ARM instructions need it"
source "$here/private_apt.sh"
for tool in cc pkg-config make; do
  command -v $tool >/dev/null || give_up "there is no $tool here"
done

mkdir -p "$target"
target=$(cd "$target" && pwd)
# The plugin alone may have changed.
built=$(sha256sum "$here/make_arm_counter.sh" | cut -d' ' -f1)
if [ "$(cat "$target/.built" 2>/dev/null)" != "$built" ]; then
  echo "Building QEMU with plugins into $target (40 MB to download, some minutes; nothing is installed)"
  fetch amd64 trixie-source source --download-only qemu
  # Headers of the libraries that are linked statically: the program then needs none of this machine's.
  fetch amd64 bookworm download libglib2.0-dev libpcre2-dev zlib1g-dev
  for package in "$work"/amd64-bookworm/*.deb; do
    dpkg -x "$package" "$work/root"
  done
  libraries=$work/root/usr/lib/x86_64-linux-gnu
  find "$libraries" -name '*.so' -delete
  sed -i 's/^Libs: .*/& -lpcre2-8 -pthread -lm/' "$libraries/pkgconfig/glib-2.0.pc"
  mkdir -p "$work/source/build"
  tar -xJf "$work"/amd64-trixie-source/qemu_*.orig.tar.xz -C "$work/source" --strip-components=1
  # The package leaves out the firmware that this file names; tests ask for the list of it.
  echo "roms = []" >"$work/source/pc-bios/meson.build"
  "$python" -m venv "$work/tools"
  "$work/tools/bin/python" -m pip install --quiet --disable-pip-version-check \
    meson==1.5.0 ninja==1.11.1.1 pycotap==1.3.1 || give_up "pip install failed"
  (
    cd "$work/source/build"
    export PATH=$work/tools/bin:$PATH PKG_CONFIG_LIBDIR=$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$work/root
    ../configure --python="$work/tools/bin/python" --target-list=aarch64-linux-user --without-default-features \
      --enable-plugins --disable-docs --disable-tools --disable-guest-agent --disable-werror >"$work/log" 2>&1 &&
      nice ninja -j "$(nproc)" qemu-aarch64 >>"$work/log" 2>&1
  ) || { tail -20 "$work/log" >&2; give_up "QEMU does not build here"; }
  mkdir -p "$target/include"
  cp "$work/source/build/qemu-aarch64" "$target/"
  cp "$work/source/include/qemu/qemu-plugin.h" "$target/include/"
  cp -r "$work/root/usr/include/glib-2.0" "$libraries/glib-2.0/include/glibconfig.h" "$target/include/"
  echo "$built" >"$target/.built"
fi
cc -O2 -Wall -Werror -shared -fPIC -I"$target/include" -I"$target/include/glib-2.0" "$plugin" -o "$target/counter.so"
echo "$wanted" >"$target/.made"
