"""The cells and tasks that ship with recurrency, as `.rnn` texts; `recurrency.library` finds them by name."""
