#!/usr/bin/env bash
# Install Maven and a Java 17 compiler, with which the Kotlin demo is built and tested. Debian and Ubuntu only.
set -euo pipefail
wanted="Maven 3.8 and a JDK 17 or later"
. "$(dirname "$0")/debian_packages.sh"

present() {
  command -v mvn >/dev/null && command -v javac >/dev/null &&
    [ "$(javac -version 2>&1 | sed 's/[^0-9]*\([0-9]*\).*/\1/')" -ge 17 ]
}

present && exit 0
install_packages maven openjdk-17-jdk-headless
present || give_up "there is still no Maven with a JDK 17"
