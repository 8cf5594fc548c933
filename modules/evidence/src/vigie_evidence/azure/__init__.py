"""Azure Blob Storage over REST."""
