package androidx.test.runner.intent;

/** There is no stubber: intents go to Robolectric's own record of them. */
public final class IntentStubberRegistry {
    private IntentStubberRegistry() {}

    public static boolean isLoaded() {
        return false;
    }

    public static IntentStubber getInstance() {
        throw new IllegalStateException("no stubber is registered");
    }
}
