"""Networks: backbones, decoders and how they start. Knows tensors; knows no datasets, optimisers or class names."""
