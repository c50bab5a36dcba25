package androidx.test.runner.intent;

/** Holds the IntentMonitor that Robolectric registers. */
public final class IntentMonitorRegistry {
    private static IntentMonitor instance;

    private IntentMonitorRegistry() {}

    public static void registerInstance(IntentMonitor instance) {
        IntentMonitorRegistry.instance = instance;
    }

    public static IntentMonitor getInstance() {
        return instance;
    }
}
