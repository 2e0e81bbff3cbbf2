"""What each command does once its options are read; ``cli`` loads a module of this room when its command runs."""
