"""The recipes: one file each, a state machine over slots."""
