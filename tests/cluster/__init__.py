"""Several nodes behind a real balancer."""
