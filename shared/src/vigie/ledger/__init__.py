"""A durable queue of a module: items on disk in order of arrival, and the one batch of them that is on its way."""
