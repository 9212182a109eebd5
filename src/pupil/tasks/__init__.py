"""Tasks: how to call a model, its loss, its prediction, its metrics and its pictures. Nothing of distillation."""
