"""Networks that describe a place: trunks, pooling, the decoder, one file a method, and the zoo of trained models."""
