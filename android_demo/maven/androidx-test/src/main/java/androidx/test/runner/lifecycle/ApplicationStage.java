package androidx.test.runner.lifecycle;

/** Where in its life an application is. */
public enum ApplicationStage { PRE_ON_CREATE, CREATED }
