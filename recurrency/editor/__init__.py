"""What editors ask about a `.rnn` text while it is written, and the language server that answers."""
