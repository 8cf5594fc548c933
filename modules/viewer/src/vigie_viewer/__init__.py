"""The viewer module: a page that shows what the device sees, thinks and does."""
