"""``titian annotation``: consensus, agreement, replay, label errors and formats."""
