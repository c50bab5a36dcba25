#!/usr/bin/env bash
# Obfuscate an app that uses core, as ProGuard does it with the rules in core's jar alone, and run it: it must print what
# it prints as it is. obfuscated.sh VOCABULARY [MODEL]; after `mvn test`, which compiles core and fetches ProGuard.
set -euo pipefail
demo=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
jdk=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")
libraries=$(tr ':' '\n' < "$demo/app/target/runtime-classpath" | grep -E '/(kotlin-stdlib|kotlinx-serialization)[^/]*\.jar$')

javac -nowarn -d "$work/app" -cp "$demo/core/target/classes" "$demo/maven/obfuscated/Consumer.java"
plain=$(java -cp "$work/app:$demo/core/target/classes:$(tr '\n' ':' <<< "$libraries")" Consumer "$@")

# Twice: as most apps do it, and with all classes and resources moved together.
for how in "" "-repackageclasses x -adaptresourcefilenames -overloadaggressively"; do
  rm -f "$work/out.jar"
  java -Xmx1g -cp "$(cat "$demo/maven/backport/target/classpath")" proguard.ProGuard \
    -injars "$work/app:$demo/core/target/classes(!META-INF/proguard/**)" -outjars "$work/out.jar" \
    $(sed 's/^/-libraryjars /' <<< "$libraries") -libraryjars "$jdk/jmods/java.base.jmod(!**.jar;!module-info.class)" \
    -include "$demo/core/src/main/resources/META-INF/proguard/mobilebert-lite-core.pro" \
    -keep 'class Consumer { public static void main(java.lang.String[]); }' \
    -dontwarn '**' -dontnote '**' -ignorewarnings $how > "$work/log"
  if unzip -l "$work/out.jar" | grep -q 'core/ModelReader.class'; then
    echo "nothing was obfuscated" >&2
    exit 1
  fi
  found=$(java -cp "$work/out.jar:$(tr '\n' ':' <<< "$libraries")" Consumer "$@")
  if [ "$plain" != "$found" ]; then
    printf 'obfuscated (%s), core gives another result:\n%s\nin place of\n%s\n' "$how" "$found" "$plain" >&2
    exit 1
  fi
done
printf 'obfuscated twice, core still reads:\n%s\n' "$plain"
