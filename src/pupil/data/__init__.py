"""Data sets, the views of their items, and the batches of a run: one file a format or an idea.

A data set gives `(image, target)` for an index and knows nothing of epochs. `Batches` says which items, seen how, make
up each batch of a run; `Views` gives an item as one view of it; `transforms` change an image and its labels together.
"""
