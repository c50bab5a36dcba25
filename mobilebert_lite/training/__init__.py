"""Training with the network that the converter draws: what is trained is what is converted.

    examples ──rows──▶ token ids and targets ──batches──▶ padded arrays
    weights ──layout──▶ one flat vector ──trainer──▶ steps of AdamW ──loop──▶ evaluations, saved states, a checkpoint
"""
