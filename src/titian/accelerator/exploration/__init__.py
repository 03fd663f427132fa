"""Every design of a grid, costed in closed form; those that nothing beats are the front."""
