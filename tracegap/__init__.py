"""The tracegap command line and the run: the one room that knows all the others."""
