#!/usr/bin/env bash
# Install Maven and a Java 17 compiler, with which the Kotlin demo is built and tested. Debian and Ubuntu only.
set -euo pipefail

present() {
  command -v mvn >/dev/null && command -v javac >/dev/null &&
    [ "$(javac -version 2>&1 | sed 's/[^0-9]*\([0-9]*\).*/\1/')" -ge 17 ]
}

give_up() {
  echo "Error: $1. Install Maven 3.8 and a JDK 17 or later yourself, then try again." >&2
  exit 1
}

present && exit 0
command -v apt-get >/dev/null || give_up "no Maven with a JDK 17 here, and this is not Debian or Ubuntu"
root=()
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || give_up "installing Maven needs root, and sudo asks for a password"
  root=(sudo)
fi
echo "Installing Maven and Java 17 from the distribution's repositories"
"${root[@]}" apt-get -qq update || give_up "apt-get update failed"
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends \
  maven openjdk-17-jdk-headless >/dev/null || give_up "apt-get install failed"
present || give_up "there is still no Maven with a JDK 17"
