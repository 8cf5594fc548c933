"""Container images: which there are, how they are built, what they hold and weigh."""
