"""Training data made by a model: recipes, and what they stand on."""
