"""Ray as an engine of `atrous infer` and `atrous train`: imported by nobody, found by its entry point."""
