"""Dev kit of Vigie: command line, local edge hub, model import, benchmarks."""
