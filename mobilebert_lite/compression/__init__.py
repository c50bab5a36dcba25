"""Less network for the same answers: heads, hidden units and blocks left out after training, the rest refitted."""
