"""Tools around `deployment.template.json`: render, lint, route and compose (docs/manifest.md)."""
