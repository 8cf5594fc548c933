"""The hub's rules, without socket, clock or disk: events and the time go in, effects come out."""
