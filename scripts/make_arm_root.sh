#!/usr/bin/env bash
# Make a folder in which LiteRT runs on emulated 64-bit ARM processors: QEMU's user emulation, Python 3.13 of Debian 13
# for arm64, and the packages of tests/processors/requirements.txt. QEMU's x86-64 lies beside it: other x86 processors run what
# is installed here. Nothing is installed: packages are downloaded and unpacked (about 110 MB), so it needs no root.
# x86-64 Debian or Ubuntu with apt only.
#
#     scripts/make_arm_root.sh FOLDER [PYTHON]
set -euo pipefail
target=$1
python=${2:-python3}
requirements=$(dirname "$0")/../tests/processors/requirements.txt
wanted=$(sha256sum "$requirements" "$0" | sha256sum | cut -d' ' -f1)
[ "$(cat "$target/.made" 2>/dev/null)" = "$wanted" ] && exit 0

needs="the emulated processors need it"
source "$(dirname "$0")/private_apt.sh"
echo "Downloading QEMU, an arm64 Python and LiteRT into $target (about 110 MB; nothing is installed)"

# The counter (make_arm_counter.sh) takes minutes to build, and stays.
[ ! -d "$target" ] || find "$target" -mindepth 1 -maxdepth 1 ! -name counting -exec rm -rf {} +
mkdir -p "$target"
target=$(cd "$target" && pwd)

# QEMU 7.2 of Debian 12 crashes in LiteRT; 10 does not.
fetch amd64 bookworm-backports download qemu-user
dpkg -x "$work"/amd64-bookworm-backports/qemu-user_*.deb "$work/qemu"
cp "$work/qemu/usr/bin/qemu-aarch64" "$work/qemu/usr/bin/qemu-x86_64" "$target/"
fetch arm64 trixie -y --no-install-recommends --download-only install \
  python3.13-minimal libpython3.13-stdlib libstdc++6 libatomic1
for package in "$work"/arm64-trixie/cache/archives/*.deb; do
  dpkg -x "$package" "$target/root"
done
ln -sfn usr/lib "$target/root/lib"  # where programs look for their loader
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  --implementation cp --python-version 3.13 --abi cp313 --abi none \
  --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux2014_aarch64 --platform any \
  --dest "$work/wheels" -r "$requirements" || give_up "pip download failed"
for wheel in "$work"/wheels/*.whl; do
  "$python" -m zipfile -e "$wheel" "$target/root/opt/site"
done
echo "$wanted" >"$target/.made"
