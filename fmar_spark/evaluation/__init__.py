"""How right a lake is: its answers against labels, in numbers, as text and as one offline page."""
