import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.kotlin.jvm)
}

java {
    sourceCompatibility = JavaVersion.VERSION_1_8
    targetCompatibility = JavaVersion.VERSION_1_8
}

kotlin {
    explicitApi()
    compilerOptions {
        jvmTarget = JvmTarget.JVM_1_8
        allWarningsAsErrors = true
        // No method that Java 8, and so Android 8, lacks.
        freeCompilerArgs.add("-Xjdk-release=1.8")
    }
}

dependencies {
    implementation(libs.serialization.json)
    testImplementation(libs.junit)
    testImplementation(libs.tensorflow.lite.desktop) { isTransitive = false }
    testImplementation(libs.javacpp) { isTransitive = false }
    testImplementation(libs.tflite.engine) { isTransitive = false }
    testRuntimeOnly("org.bytedeco:tensorflow-lite:${libs.versions.tensorflow.lite.desktop.get()}:linux-x86_64")
    testRuntimeOnly("org.bytedeco:javacpp:${libs.versions.javacpp.get()}:linux-x86_64")
    testRuntimeOnly("ai.djl.tflite:tflite-native-cpu:${libs.versions.tflite.native.get()}:linux-x86_64")
}

// The app's use of the interpreter, which needs no Android.
sourceSets.test {
    kotlin.srcDir("../app/src/main/kotlin/org/mobilebertlite/interpreter")
}
