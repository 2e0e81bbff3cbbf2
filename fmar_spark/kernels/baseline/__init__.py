"""What a meter would draw tomorrow."""
