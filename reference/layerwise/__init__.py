"""Layer-wise training: the best latent marginal, auto-encoder stacks, layer selection."""
