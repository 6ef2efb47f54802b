"""Experiments, one file each, all of one shape: ``Config`` -> ``run(config, progress)`` -> ``Result`` -> ``figure(result)``."""
