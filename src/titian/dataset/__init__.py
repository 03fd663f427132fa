"""The data of a project: manifest, table, images, records, split, and checks for leaks."""
