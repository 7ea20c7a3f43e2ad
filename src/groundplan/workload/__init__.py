"""What is asked: model architectures, training jobs, data sets, goals; read from a brief or a config.json."""
