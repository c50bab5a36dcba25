#!/usr/bin/env bash
# Put the package together from what Maven built: apk.sh OUT.apk; beside it OUT-test.apk, which device farms want.
#
# Sign with the key of KEYSTORE (password KEYSTORE_PASSWORD, alias demo), or with one made for the occasion.
set -euo pipefail
out=$1
demo=$(cd "$(dirname "$0")/.." && pwd)
built=$demo/app/target/android
natives=$demo/maven/tensorflow-lite/target/tensorflow-lite/jni
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Kotlin's and serialization's own classes go along whole; nothing shrinks them here.
jars=$(tr ':' '\n' < "$demo/app/target/runtime-classpath" | grep -E '/(kotlin-stdlib|kotlinx-serialization)[^/]*\.jar$')
mkdir -p "$work/classes" "$work/package"
for jar in $jars; do
  unzip -qo "$jar" '*.class' -x 'META-INF/*' -d "$work/classes"
done
cp -r "$demo/core/target/classes/." "$demo/maven/tensorflow-lite/target/classes/." "$demo/app/target/classes/." "$work/classes/"
mkdir -p "$work/test-classes/org/mobilebertlite/demo" "$work/test-package"
mv "$work/classes/org/mobilebertlite/demo/test" "$work/test-classes/org/mobilebertlite/demo/"
find "$work/classes" -path '*/META-INF/*' -delete
find "$work/classes" -name module-info.class -delete
jdk=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")
android=$(tr ':' '\n' < "$demo/app/target/compile-classpath" | grep '/android-all-')
# Lambdas that are made at run time, as in Kotlin's libraries, need a class that Android lacks, and dx leaves them alone.
java -Xmx2g -cp "$(cat "$demo/maven/backport/target/classpath")" proguard.ProGuard \
  -injars "$work/classes" -outjars "$work/classes.jar" -libraryjars "$jdk/jmods/java.base.jmod(!**.jar;!module-info.class)" \
  -libraryjars "$android(!**.jar;!module-info.class)" \
  -target 1.7 -dontshrink -dontoptimize -dontobfuscate -dontwarn -dontnote -ignorewarnings
to_dex() {
  java -Xmx1500m -cp "$built/dx.jar" com.android.dx.command.Main --dex --min-sdk-version=26 --output="$1" "$2"
}
to_dex "$work/package" "$work/classes.jar"
to_dex "$work/test-package" "$work/test-classes"

# Beside the classes: resources that core reads, the models and their examples, the interpreter.
(cd "$work/classes" && find . -type f -name '*.txt' -exec cp --parents -t "$work/package" {} +)
mkdir -p "$work/package/assets"
cp "$demo/app/src/main/assets/"* "$work/package/assets/"
for abi in arm64-v8a x86_64; do
  mkdir -p "$work/package/lib/$abi"
  cp "$natives/$abi/libtensorflowlite_jni.so" "$work/package/lib/$abi/"
done

# Stored, not compressed: what is mapped from the package itself.
cp "$built/resources.apk" "$work/unaligned.apk"
(cd "$work/package" && zip -qr -X "$work/unaligned.apk" . -i '*.dex' '*.txt' '*.json'
 zip -qr -X -0 "$work/unaligned.apk" . -i '*.so' '*.tflite')
# It finds the app's classes in the app, whose process it runs in.
"$built/prebuilt/linux/aapt2_64" link -I "$android" --manifest "$demo/maven/farm/AndroidManifest.xml" \
  --min-sdk-version 26 --target-sdk-version 35 --version-code 1 --version-name 0.1.0 -o "$work/unaligned-test.apk"
(cd "$work/test-package" && zip -qr -X "$work/unaligned-test.apk" classes.dex)

if [ -z "${KEYSTORE:-}" ]; then
  KEYSTORE=$work/key.jks KEYSTORE_PASSWORD=android
  keytool -genkeypair -keystore "$KEYSTORE" -storepass android -alias demo -keyalg RSA -keysize 3072 -validity 10000 \
    -dname CN=demo 2>/dev/null
fi
mkdir -p "$(dirname "$out")"
export KEYSTORE_PASSWORD
# Both with one key, or Android does not let the one run in the other.
for which in "" -test; do
  # A page of newer phones is 16 KB; libraries are mapped from where they stand.
  zipalign -f 16384 "$work/unaligned$which.apk" "$work/aligned.apk"
  apksigner sign --ks "$KEYSTORE" --ks-key-alias demo --ks-pass env:KEYSTORE_PASSWORD --min-sdk-version 26 \
    --v1-signing-enabled false --v4-signing-enabled false --out "${out%.apk}$which.apk" "$work/aligned.apk"
done
