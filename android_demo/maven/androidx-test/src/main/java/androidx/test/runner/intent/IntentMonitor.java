package androidx.test.runner.intent;

/** Told of intents that activities send. */
public interface IntentMonitor {}
