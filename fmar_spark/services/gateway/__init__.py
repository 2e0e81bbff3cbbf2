"""The address to which the DIP sends messages: each is durable before it is acknowledged."""
