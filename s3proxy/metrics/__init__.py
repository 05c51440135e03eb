"""What the processes of a node count: words that they share, reports in words, and their text for Prometheus."""
