"""What trains and draws nothing: data, networks, training, sweeps, records."""
