#!/usr/bin/env bash
# Compile the app's resources: OUT/resources.apk, OUT/AndroidManifest.xml, OUT/java/…/R.java.
set -euo pipefail
aapt2=$1 android=$2 sources=$3 out=$4 version=$5

rm -rf "$out/java" && mkdir -p "$out/java" "$out/test-assets"
chmod +x "$aapt2"
# Gradle takes the package from its own file and wants none in the manifest.
sed 's|<manifest |<manifest package="org.mobilebertlite.demo" |' "$sources/AndroidManifest.xml" > "$out/AndroidManifest.xml"
"$aapt2" compile --dir "$sources/res" -o "$out/compiled.zip"
"$aapt2" link -I "$android" --manifest "$out/AndroidManifest.xml" --java "$out/java" -o "$out/resources.apk" \
  --min-sdk-version 26 --target-sdk-version 35 --version-code 1 --version-name "$version" --no-version-vectors \
  "$out/compiled.zip"
# The tests' own models stand where the app's do.
if [ -d "${MBL_CASES:-}/models" ]; then
  for task in qa classification; do cp "$MBL_CASES/models/$task-old.tflite" "$out/test-assets/$task.tflite"; done
fi
