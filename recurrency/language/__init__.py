"""The `.rnn` language: syntax tree, parser, formatter, LaTeX, and the table of all diagnostics."""
