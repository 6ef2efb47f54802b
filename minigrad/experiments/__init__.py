"""Experiments, one file each, all of one shape: ``Config`` -> ``run(config)`` -> ``Result`` -> ``figure(result)``."""
