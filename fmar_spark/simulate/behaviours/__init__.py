"""How each class and its look-alikes are used, and how the simulator draws from it."""
