import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "org.mobilebertlite.demo"
    compileSdk = 35

    defaultConfig {
        applicationId = "org.mobilebertlite.demo"
        minSdk = 26
        targetSdk = 35
        versionCode = 1
        versionName = "0.1.0"
        testInstrumentationRunner = "org.mobilebertlite.demo.test.FarmInstrumentation"
        ndk {
            abiFilters += listOf("arm64-v8a", "x86_64")
        }
    }

    // Models are mapped from the package itself.
    androidResources {
        noCompress += "tflite"
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
}

// The tests need an interpreter for desktops in place of LiteRT, which pom.xml gives them.
androidComponents {
    beforeVariants { it.enableUnitTest = false }
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.JVM_1_8
    }
}

dependencies {
    implementation(project(":core"))
    implementation(libs.serialization.json)
    implementation(libs.litert)
    implementation(libs.litert.api)
    implementation(libs.litert.gpu)
    implementation(libs.litert.gpu.api)
}
