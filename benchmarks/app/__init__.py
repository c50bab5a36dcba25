"""The demo app as a runner: what it is asked, what it prints, how it is installed."""
