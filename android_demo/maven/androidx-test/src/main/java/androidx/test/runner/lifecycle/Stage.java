package androidx.test.runner.lifecycle;

/** Where in its life an activity is. */
public enum Stage { PRE_ON_CREATE, CREATED, STARTED, RESUMED, PAUSED, STOPPED, RESTARTED, DESTROYED }
