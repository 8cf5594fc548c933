"""One file for each kind of sink; ``registry`` says which there are, ``sink`` what each has to do."""
