"""What answers over the network. No Spark here."""
