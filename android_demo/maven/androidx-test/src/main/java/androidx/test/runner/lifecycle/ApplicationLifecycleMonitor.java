package androidx.test.runner.lifecycle;

/** Told where in its life the application is. */
public interface ApplicationLifecycleMonitor {}
