"""edgeHub's routes: parsed, compiled, evaluated and linted. Pure: no I/O, no clock."""
