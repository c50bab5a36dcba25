package androidx.test.runner.lifecycle;

/** Holds the ApplicationLifecycleMonitor that Robolectric registers. */
public final class ApplicationLifecycleMonitorRegistry {
    private static ApplicationLifecycleMonitor instance;

    private ApplicationLifecycleMonitorRegistry() {}

    public static void registerInstance(ApplicationLifecycleMonitor instance) {
        ApplicationLifecycleMonitorRegistry.instance = instance;
    }

    public static ApplicationLifecycleMonitor getInstance() {
        return instance;
    }
}
