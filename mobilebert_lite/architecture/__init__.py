"""What a MobileBERT is: configuration, canonical weights, masking, form of inputs and outputs."""
