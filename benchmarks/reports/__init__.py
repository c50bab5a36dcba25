"""What was measured: the schema of results, statistics, comparisons and exports."""
