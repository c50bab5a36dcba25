#!/usr/bin/env bash
# Compile the app's resources: OUT/resources.apk, OUT/AndroidManifest.xml, OUT/java/…/R.java; OUT/tests.apk is the same
# with two models that the tests' interpreter can run as assets.
set -euo pipefail
aapt2=$1 android=$2 sources=$3 out=$4 version=$5

rm -rf "$out/java" "$out/test-assets" && mkdir -p "$out/java" "$out/test-assets"
chmod +x "$aapt2"
# Gradle takes the package from its own file and wants none in the manifest.
sed 's|<manifest |<manifest package="org.mobilebertlite.demo" |' "$sources/AndroidManifest.xml" > "$out/AndroidManifest.xml"
"$aapt2" compile --dir "$sources/res" -o "$out/compiled.zip"

link() {
  "$aapt2" link -I "$android" --manifest "$out/AndroidManifest.xml" --no-version-vectors -0 tflite \
    --min-sdk-version 26 --target-sdk-version 35 --version-code 1 --version-name "$version" "$@" "$out/compiled.zip"
}

link -o "$out/resources.apk" --java "$out/java"
if [ -d "${MBL_CASES:-}/models" ]; then
  for task in qa classification; do cp "$MBL_CASES/models/$task-old.tflite" "$out/test-assets/$task.tflite"; done
fi
link -o "$out/unaligned.apk" -A "$out/test-assets"
# Interpreters read what is mapped as it stands.
zipalign -f 16384 "$out/unaligned.apk" "$out/tests.apk"
