"""The admin plane: what an operator asks of a running node, on sockets of its own and never on the data port."""
