"""The evidence module: takes chosen pictures and clips to Azure Blob Storage."""
